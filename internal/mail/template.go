package mail

import (
	"errors"
	"fmt"
	"html"
	"maps"
	"path"
	"strings"
	"text/template/parse"
)

// A renderer has read the templates. They are in the language of text/template,
// of which it knows what mails need: values, with, else and template. The
// library finds values by reflection on whatever it is given, for which every
// method of every type has to stay in the program, a quarter of its size.
type renderer struct {
	trees map[string]*parse.Tree // by name
}

func newRenderer() (*renderer, error) {
	r := &renderer{map[string]*parse.Tree{}}
	entries, err := files.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("read the templates of mails: %w", err)
	}
	for _, entry := range entries {
		text, err := files.ReadFile(path.Join("templates", entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the templates of mails: %w", err)
		}
		trees, err := parse.Parse(entry.Name(), string(text), "", "")
		if err != nil {
			return nil, fmt.Errorf("read the templates of mails: %w", err)
		}
		maps.Copy(r.trees, trees)
	}
	return r, nil
}

// render writes both forms of a mail.
func (r *renderer) render(kind string, v view) (text, rich string, err error) {
	if text, err = r.write(kind+".txt", v, func(value string) string { return value }); err != nil {
		return "", "", err
	}
	rich, err = r.write(kind+".html", v, html.EscapeString)
	return text, rich, err
}

func (r *renderer) write(name string, v view, escape func(string) string) (string, error) {
	p := page{trees: r.trees, values: v, escape: escape}
	if err := p.template(name, ""); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return p.out.String(), nil
}

// A page is one form of a mail as it is written. What is escaped may stand
// between tags and in an attribute with quotes, and nowhere else.
type page struct {
	trees  map[string]*parse.Tree
	values view
	escape func(string) string
	out    strings.Builder
}

func (p *page) template(name, dot string) error {
	tree := p.trees[name]
	if tree == nil {
		return errors.New("there is no such template")
	}
	return p.list(tree.Root, dot)
}

func (p *page) list(l *parse.ListNode, dot string) error {
	if l == nil {
		return nil
	}
	for _, node := range l.Nodes {
		if err := p.node(node, dot); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) node(node parse.Node, dot string) error {
	switch n := node.(type) {
	case *parse.TextNode:
		p.out.Write(n.Text)
		return nil
	case *parse.ActionNode:
		value, err := p.value(n.Pipe, dot)
		p.out.WriteString(p.escape(value))
		return err
	case *parse.WithNode:
		return p.with(n, dot)
	case *parse.TemplateNode:
		return p.template(n.Name, dot)
	}
	return fmt.Errorf("mails do not know %s", node)
}

func (p *page) with(n *parse.WithNode, dot string) error {
	value, err := p.value(n.Pipe, dot)
	switch {
	case err != nil:
		return err
	case value == "":
		return p.list(n.ElseList, dot)
	}
	return p.list(n.List, value)
}

// value is what the dot or one name stands for.
func (p *page) value(pipe *parse.PipeNode, dot string) (string, error) {
	if len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return "", fmt.Errorf("mails do not know %s", pipe)
	}
	switch arg := pipe.Cmds[0].Args[0].(type) {
	case *parse.DotNode:
		return dot, nil
	case *parse.FieldNode:
		value, known := p.values[strings.Join(arg.Ident, ".")]
		if !known {
			return "", fmt.Errorf("mails have no %s", arg)
		}
		return value, nil
	}
	return "", fmt.Errorf("mails do not know %s", pipe)
}
