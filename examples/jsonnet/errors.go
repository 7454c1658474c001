package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"bulkhead.dev/plugin/diagnostic"
	"bulkhead.dev/plugin/render"
	"github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"
)

// missing says that the file to evaluate is not there.
type missing struct{ file string }

func (m *missing) Error() string { return fmt.Sprintf("there is no `%s`", m.file) }

// explain turns an error of the library into what the user needs: the message, the file and line
// where it happened, and the places that led there.
func explain(err error) error {
	var absent *missing
	if errors.As(err, &absent) {
		help := "set `entry` to the file to evaluate, relative to the path"
		return diagnostic.Invalid{diagnostic.Error("EntryMissing", err.Error(), absent.file, 0, help)}
	}
	var unread *render.ReadError
	if errors.As(err, &unread) {
		return unread
	}
	var runtime jsonnet.RuntimeError
	if errors.As(err, &runtime) {
		return explainRuntime(runtime)
	}
	var static interface{ Loc() ast.LocationRange }
	if errors.As(err, &static) {
		at := static.Loc()
		// The library puts the place before the message.
		message := strings.TrimPrefix(err.Error(), at.String()+" ")
		return wrong("SyntaxError", message, at, "")
	}
	return err
}

// explainRuntime names the innermost place in a file of the source, and those that called it.
func explainRuntime(err jsonnet.RuntimeError) error {
	var places []ast.LocationRange
	for _, frame := range err.StackTrace {
		if frame.Loc.FileName != "" && frame.Loc.Begin.Line > 0 {
			places = append(places, frame.Loc)
		}
	}
	if len(places) == 0 {
		return wrong("EvaluationFailed", err.Msg, ast.LocationRange{}, "")
	}
	var callers []string
	for i := len(places) - 2; i >= 0 && len(callers) < 5; i-- {
		callers = append(callers, fmt.Sprintf("%s:%d", places[i].FileName, places[i].Begin.Line))
	}
	help := ""
	if len(callers) > 0 {
		help = "it was evaluated for " + strings.Join(callers, ", for ")
	}
	return wrong("EvaluationFailed", err.Msg, places[len(places)-1], help)
}

func wrong(code, message string, at ast.LocationRange, help string) error {
	message = strings.ReplaceAll(strings.TrimSpace(message), "\n", " ")
	return diagnostic.Invalid{diagnostic.Error(code, message, at.FileName, uint32(at.Begin.Line), help)}
}

// notAnObject says that the result has a value that is no object and holds none.
func notAnObject(at string, value json.RawMessage) error {
	shown := string(value)
	if len(shown) > 40 {
		shown = shown[:40] + "…"
	}
	message := fmt.Sprintf("the result has %s at `%s`, where an object, a list or a mapping of objects has to be", shown, at)
	return diagnostic.Invalid{diagnostic.Error("NotAnObject", message, "", 0, "every object has `apiVersion` and `kind`")}
}
