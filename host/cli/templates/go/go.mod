module {{name}}

go 1.25

require bulkhead.dev/plugin v0.1.0

require go.bytecodealliance.org/pkg v0.2.3 // indirect

replace (
	bulkhead.dev/plugin => ./bulkhead
	go.bytecodealliance.org/pkg => ./bulkhead/runtime
)
