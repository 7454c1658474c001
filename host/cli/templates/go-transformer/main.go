// A transformer: labels every object with the team that the configuration names.
package main

import (
	"encoding/json"

	"bulkhead.dev/plugin/diagnostic"
	"bulkhead.dev/plugin/transform"
	_ "bulkhead.dev/plugin/wit_exports"
)

func init() { transform.Export(Transform) }

func main() {}

// Transform answers one call of the host.
func Transform(request transform.Request) (transform.Output, error) {
	var output transform.Output
	var config struct{ Team string }
	if err := json.Unmarshal([]byte(request.Config), &config); err != nil {
		return output, err
	}
	if config.Team == "" {
		wrong := diagnostic.Error("TeamMissing", "the configuration names no team", "", 0, "set `team` in the configuration")
		return output, diagnostic.Invalid{wrong}
	}
	for _, document := range request.Documents {
		var object map[string]any
		if err := json.Unmarshal([]byte(document.Text), &object); err != nil {
			return output, err
		}
		within(within(object, "metadata"), "labels")["team"] = config.Team
		text, err := json.Marshal(object)
		if err != nil {
			return output, err
		}
		document.Text = string(text)
		output.Documents = append(output.Documents, document)
	}
	return output, nil
}

// within returns the mapping at key, and makes it where there is none.
func within(object map[string]any, key string) map[string]any {
	inner, ok := object[key].(map[string]any)
	if !ok {
		inner = map[string]any{}
		object[key] = inner
	}
	return inner
}
