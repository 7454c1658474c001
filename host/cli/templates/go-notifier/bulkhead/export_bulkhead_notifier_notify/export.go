// Package export_bulkhead_notifier_notify is what the generated exports call.
package export_bulkhead_notifier_notify

import (
	"bulkhead.dev/plugin/bulkhead_notifier_notify"
	"bulkhead.dev/plugin/notify"
	"go.bytecodealliance.org/pkg/wit/types"
)

// Start hands the call to the plugin.
func Start(events []notify.Event, config string, state []byte) wit_types.Result[notify.Outcome, bulkhead_notifier_notify.Error] {
	return notify.Call(func(plugin notify.Notifier) (notify.Outcome, error) {
		return plugin.Start(events, config, state)
	})
}

// Resume hands the call to the plugin.
func Resume(responses []notify.Response, config string, state []byte) wit_types.Result[notify.Outcome, bulkhead_notifier_notify.Error] {
	return notify.Call(func(plugin notify.Notifier) (notify.Outcome, error) {
		return plugin.Resume(responses, config, state)
	})
}
