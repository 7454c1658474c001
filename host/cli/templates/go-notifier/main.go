// A notifier: posts {"text": "..."} to the address of the Provider.
package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"bulkhead.dev/plugin/notify"
	_ "bulkhead.dev/plugin/wit_exports"
)

type plugin struct{}

func init() { notify.Export(plugin{}) }

func main() {}

func (plugin) Start(events []notify.Event, config string, state []byte) (notify.Outcome, error) {
	var lines []string
	for _, event := range events {
		object := event.Object
		name := object.Kind + " " + object.Namespace.SomeOr("-") + "/" + object.Name
		lines = append(lines, fmt.Sprintf("%s: %s: %s", name, event.Reason, event.Message))
	}
	body, err := json.Marshal(map[string]string{"text": strings.Join(lines, "\n")})
	if err != nil {
		return notify.Outcome{}, err
	}
	request := notify.PostJSON([]notify.Part{notify.Secret("address")}, body)
	return notify.Send(nil, request), nil
}

func (plugin) Resume(responses []notify.Response, config string, state []byte) (notify.Outcome, error) {
	for _, response := range responses {
		switch {
		case response.Status == 429:
			return notify.Retry(), nil
		case response.Status < 200 || response.Status > 299:
			return notify.Failed(fmt.Sprintf("the service answered with status %d", response.Status)), nil
		}
	}
	return notify.Done(nil), nil
}
