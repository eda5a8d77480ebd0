package managementapi

import "github.com/gofiber/fiber/v2"

// operations are all that can be asked for. Where one path could be read as
// another, the literal one comes first.
var operations = []operation{
	{id: "getOpenAPI", method: fiber.MethodGet, path: "/openapi.json", static: showDocument},
	{id: "listProblems", method: fiber.MethodGet, path: "/problems", static: showProblems},
	{id: "getProblem", method: fiber.MethodGet, path: "/problems/{reason}", static: showProblem},
}
