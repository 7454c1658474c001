// Package diagnostic tells the user what is wrong, where, and what to do.
package diagnostic

import (
	"strings"

	"bulkhead.dev/plugin/bulkhead_base_types"
	"go.bytecodealliance.org/pkg/wit/types"
)

// Diagnostic is one thing to tell the user.
type Diagnostic = bulkhead_base_types.Diagnostic

// Error tells that the work could not be done. code is a stable name in CamelCase; message is one
// sentence in lower case without a full stop; path, line and help may be "" and 0.
func Error(code, message, path string, line uint32, help string) Diagnostic {
	return make_(bulkhead_base_types.SeverityError, code, message, path, line, help)
}

// Warning tells that something is likely wrong, though the work went on.
func Warning(code, message, path string, line uint32, help string) Diagnostic {
	return make_(bulkhead_base_types.SeverityWarning, code, message, path, line, help)
}

func make_(severity uint8, code, message, path string, line uint32, help string) Diagnostic {
	made := Diagnostic{Severity: severity, Code: code, Message: message}
	if path != "" {
		at := bulkhead_base_types.Location{Path: path}
		if line > 0 {
			at.Line = wit_types.Some(line)
		}
		made.At = wit_types.Some(at)
	}
	if help != "" {
		made.Help = wit_types.Some(help)
	}
	return made
}

// Invalid is the error to return for wrong input. Any other error is reported in its words alone.
type Invalid []Diagnostic

func (i Invalid) Error() string {
	var messages []string
	for _, diagnostic := range i {
		messages = append(messages, diagnostic.Message)
	}
	return strings.Join(messages, "; ")
}
