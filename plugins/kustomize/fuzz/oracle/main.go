// Runs the real `kustomize build` for the fuzzer of the kustomize renderer, many times in one process.
//
// Each line of stdin is a call, {"args": [directory, flags...]}; each line of stdout its answer,
// {"out": base64} or {"error": text}. Starting the program for each call costs a hundred times more.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"

	"sigs.k8s.io/kustomize/kustomize/v5/commands/build"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

type call struct {
	Args []string `json:"args"`
}

type answer struct {
	Out   []byte `json:"out,omitempty"`
	Error string `json:"error,omitempty"`
}

func run(args []string) (out []byte, err error) {
	defer func() {
		if told := recover(); told != nil {
			err = fmt.Errorf("panic: %v", told)
		}
	}()
	// A process begins with the built-in schema; what an earlier call set must not stay.
	openapi.ResetOpenAPI()
	var text bytes.Buffer
	command := build.NewCmdBuild(filesys.MakeFsOnDisk(), build.MakeHelp("kustomize", "build"), &text)
	command.SetArgs(args)
	command.SetOut(io.Discard)
	command.SetErr(io.Discard)
	command.SilenceErrors = true
	command.SilenceUsage = true
	err = command.Execute()
	return text.Bytes(), err
}

func main() {
	log.SetOutput(io.Discard)
	stdout := os.Stdout
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout, os.Stderr = null, null // Warnings are printed to them.
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var c call
		var a answer
		if err := json.Unmarshal(line, &c); err != nil {
			a.Error = "call: " + err.Error()
		} else if out, err := run(c.Args); err != nil {
			a.Error = err.Error()
			if a.Error == "" {
				a.Error = "failed"
			}
		} else {
			a.Out = out
		}
		told, err := json.Marshal(a)
		if err != nil {
			return
		}
		stdout.Write(append(told, '\n'))
	}
}
