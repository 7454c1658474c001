// A renderer: returns every .yaml file of the directory, with ${environment} replaced by what the
// configuration says.
package main

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"bulkhead.dev/plugin/diagnostic"
	"bulkhead.dev/plugin/render"
	_ "bulkhead.dev/plugin/wit_exports"
)

const placeholder = "${environment}"

func init() { render.Export(Render) }

func main() {}

// Render answers one call of the host.
func Render(files render.Files, request render.Request) (render.Output, error) {
	var output render.Output
	var config struct{ Environment string }
	if err := json.Unmarshal([]byte(request.Config), &config); err != nil {
		return output, err
	}
	entries, err := files.Glob(path.Join(request.Path, "*.yaml"))
	if err != nil {
		return output, err
	}
	for _, entry := range entries {
		content, err := files.Read(entry.Path)
		if err != nil {
			return output, err
		}
		text := string(content)
		if at := strings.Index(text, placeholder); at >= 0 && config.Environment == "" {
			return output, diagnostic.Invalid{missing(entry.Path, strings.Count(text[:at], "\n")+1)}
		}
		text = strings.ReplaceAll(text, placeholder, config.Environment)
		output.Documents = append(output.Documents, render.FromFile(entry.Path, text))
	}
	return output, nil
}

func missing(file string, line int) diagnostic.Diagnostic {
	message := fmt.Sprintf("`%s` needs an environment, and the configuration names none", file)
	help := "set `environment` in the configuration"
	return diagnostic.Error("EnvironmentMissing", message, file, uint32(line), help)
}
