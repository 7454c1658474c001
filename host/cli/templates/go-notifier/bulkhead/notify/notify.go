// Package notify is what a notifier needs: events, requests, outcomes and Export.
package notify

import (
	"bulkhead.dev/plugin/bulkhead_notifier_notify"
	"go.bytecodealliance.org/pkg/wit/types"
)

type (
	// Event is something that happened to an object.
	Event = bulkhead_notifier_notify.Event
	// Request is what the host sends.
	Request = bulkhead_notifier_notify.Request
	// Response is what came back.
	Response = bulkhead_notifier_notify.Response
	// Header is a header of a request.
	Header = bulkhead_notifier_notify.Header
	// Part is a piece of a value: text, or the name of a secret.
	Part = bulkhead_notifier_notify.Part
	// Outcome says where the exchange stands.
	Outcome = bulkhead_notifier_notify.Outcome
)

// Notifier turns events into requests.
type Notifier interface {
	// Start begins to deliver events; state is what the last Done kept.
	Start(events []Event, config string, state []byte) (Outcome, error)
	// Resume goes on after the requests of the last step were answered.
	Resume(responses []Response, config string, state []byte) (Outcome, error)
}

var exported Notifier

// Export makes notifier the plugin. Call it from an init function.
func Export(notifier Notifier) { exported = notifier }

// Text is these characters.
func Text(text string) Part { return bulkhead_notifier_notify.MakePartText(text) }

// Secret is the value of the secret of this name, which the host puts in.
func Secret(name string) Part { return bulkhead_notifier_notify.MakePartSecret(name) }

// PostJSON posts a JSON text to the address that url makes, unsigned.
func PostJSON(url []Part, body []byte) Request {
	header := Header{Name: "Content-Type", Value: []Part{Text("application/json")}}
	return Request{
		Method:  "POST",
		Url:     url,
		Headers: []Header{header},
		Body:    body,
		Signing: bulkhead_notifier_notify.MakeSigningNone(),
	}
}

// Send asks the host to send requests; state comes back with the responses.
func Send(state []byte, requests ...Request) Outcome {
	step := bulkhead_notifier_notify.Step{Send: requests, State: state}
	return bulkhead_notifier_notify.MakeOutcomeNext(step)
}

// Done tells that the message is delivered; state is kept for the next event of the same object.
func Done(state []byte) Outcome { return bulkhead_notifier_notify.MakeOutcomeDone(state) }

// Retry asks to try the whole event again, later.
func Retry() Outcome {
	return bulkhead_notifier_notify.MakeOutcomeRetry(wit_types.None[uint32]())
}

// Failed tells that it cannot be delivered.
func Failed(why string) Outcome { return bulkhead_notifier_notify.MakeOutcomeFailed(why) }

// Call answers the host.
func Call(call func(Notifier) (Outcome, error)) wit_types.Result[Outcome, bulkhead_notifier_notify.Error] {
	if exported == nil {
		return failed("the plugin calls notify.Export nowhere")
	}
	outcome, err := call(exported)
	if err != nil {
		return failed(err.Error())
	}
	return wit_types.Ok[Outcome, bulkhead_notifier_notify.Error](outcome)
}

func failed(why string) wit_types.Result[Outcome, bulkhead_notifier_notify.Error] {
	return wit_types.Err[Outcome](bulkhead_notifier_notify.MakeErrorOther(why))
}
