package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/decisionapi"
	"github.com/postern-authz/postern/internal/managementapi"
	"github.com/postern-authz/postern/internal/ops"
)

func openapiCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "openapi [decisions | management | ops]",
		Short: "Print what a listener serves as OpenAPI 3.1",
		Long: `Prints the OpenAPI 3.1 file of a listener, decisions if none is named. A running
server has it at /openapi.json of that listener.`,
		ValidArgs: []string{"decisions", "management", "ops"},
		RunE: func(_ *cobra.Command, args []string) error {
			document, err := documentOf(args)
			if err != nil {
				return usage(err)
			}
			_, err = s.out.Write(document)
			return err
		},
	}
}

func documentOf(args []string) ([]byte, error) {
	if len(args) == 0 {
		return decisionapi.Document, nil
	}
	switch {
	case len(args) > 1:
	case args[0] == "decisions":
		return decisionapi.Document, nil
	case args[0] == "management":
		return managementapi.Document, nil
	case args[0] == "ops":
		return ops.Document, nil
	}
	return nil, fmt.Errorf("openapi takes one listener, decisions, management or ops, and got %q", args)
}
