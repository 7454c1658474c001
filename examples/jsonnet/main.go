// A renderer: evaluates Jsonnet with Google's own library, and returns the Kubernetes objects that
// are in the result.
package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"bulkhead.dev/plugin/render"
	_ "bulkhead.dev/plugin/wit_exports"
	"github.com/google/go-jsonnet"
	"sigs.k8s.io/yaml"
)

func init() { render.Export(Render) }

func main() {}

// Config is what the user may set; bulkhead-plugin.yaml has its schema.
type Config struct {
	// Entry is the file to evaluate, below the path; main.jsonnet by default.
	Entry string
	// ExtVars are what std.extVar returns.
	ExtVars map[string]json.RawMessage
	// Arguments are those of the function that the file evaluates to.
	Arguments map[string]json.RawMessage
	// Libraries are folders of the source in which imports are looked for.
	Libraries []string
}

// Render answers one call of the host.
func Render(files render.Files, request render.Request) (render.Output, error) {
	var output render.Output
	config := Config{Entry: "main.jsonnet", Libraries: []string{"lib", "vendor"}}
	if err := json.Unmarshal([]byte(request.Config), &config); err != nil {
		return output, err
	}
	entry := path.Join(request.Path, config.Entry)
	if isJsonnet(request.Path) {
		entry = request.Path
	}
	vm := machine(files, request, config)
	program, _, err := vm.ImportAST("", entry)
	if err != nil {
		return output, explain(err)
	}
	text, err := vm.Evaluate(program)
	if err != nil {
		return output, explain(err)
	}
	err = walk(json.RawMessage(text), entry, func(object json.RawMessage) error {
		text, err := yaml.JSONToYAML(object) // For people to read: JSON would do.
		output.Documents = append(output.Documents, render.FromFile(entry, string(text)))
		return err
	})
	return output, err
}

func isJsonnet(file string) bool {
	return strings.HasSuffix(file, ".jsonnet") || strings.HasSuffix(file, ".libsonnet")
}

// machine is an interpreter that reads from the source alone.
func machine(files render.Files, request render.Request, config Config) *jsonnet.VM {
	vm := jsonnet.MakeVM()
	vm.Importer(newImporter(files, config.Libraries))
	for name, value := range config.ExtVars {
		vm.ExtCode(name, string(value))
	}
	for name, value := range config.Arguments {
		vm.TLACode(name, string(value))
	}
	for _, input := range request.Inputs {
		vm.ExtVar("input."+input.F0, string(input.F1))
	}
	target := request.Target
	fact, _ := json.Marshal(map[string]any{ // of texts alone: it cannot fail
		"name":        target.Name,
		"namespace":   target.Namespace,
		"kubeVersion": target.KubeVersion,
		"apiVersions": slices.Concat([]string{}, target.ApiVersions),
	})
	vm.ExtCode("target", string(fact))
	return vm
}

// walk visits the objects in a value: every mapping with an apiVersion and a kind, in lists and
// mappings of any depth, names in order. Null stands for nothing; other values are a mistake.
func walk(value json.RawMessage, at string, visit func(json.RawMessage) error) error {
	value = bytes.TrimSpace(value)
	switch value[0] {
	case '{':
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(value, &fields); err != nil {
			return err
		}
		if isText(fields["apiVersion"]) && isText(fields["kind"]) {
			return visit(value)
		}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if err := walk(fields[name], at+"."+name, visit); err != nil {
				return err
			}
		}
		return nil
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(value, &items); err != nil {
			return err
		}
		for _, item := range items {
			if err := walk(item, at+"[]", visit); err != nil {
				return err
			}
		}
		return nil
	case 'n':
		return nil
	default:
		return notAnObject(at, value)
	}
}

func isText(value json.RawMessage) bool { return len(value) > 0 && value[0] == '"' }
