module jsonnet

go 1.25

require (
	bulkhead.dev/plugin v0.1.0
	github.com/google/go-jsonnet v0.22.0
	sigs.k8s.io/yaml v1.4.0
)

require (
	go.bytecodealliance.org/pkg v0.2.3 // indirect
	golang.org/x/crypto v0.45.0 // indirect
	golang.org/x/sys v0.38.0 // indirect
)

replace (
	bulkhead.dev/plugin => ./bulkhead
	go.bytecodealliance.org/pkg => ./bulkhead/runtime
)
