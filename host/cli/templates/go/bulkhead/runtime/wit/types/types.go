// Package wit_types has the generic types of WIT: tuples, options and results. The generated
// bindings import it.
package wit_types

// Tags of an Option and of a Result.
const (
	OptionNone = 0
	OptionSome = 1

	ResultOk  = 0
	ResultErr = 1
)

// Tuple2 is a pair.
type Tuple2[A any, B any] struct {
	F0 A
	F1 B
}

// Option is a value that may be missing. The zero value is none.
type Option[T any] struct {
	tag   uint8
	value T
}

// Some holds a value.
func Some[T any](value T) Option[T] { return Option[T]{tag: OptionSome, value: value} }

// None holds nothing.
func None[T any]() Option[T] { return Option[T]{} }

// Tag tells OptionSome from OptionNone.
func (o Option[T]) Tag() uint8 { return o.tag }

// IsSome tells whether there is a value.
func (o Option[T]) IsSome() bool { return o.tag == OptionSome }

// IsNone tells whether there is none.
func (o Option[T]) IsNone() bool { return o.tag == OptionNone }

// Some returns the value; it panics where there is none.
func (o Option[T]) Some() T {
	if o.tag != OptionSome {
		panic("Some of an Option that is none")
	}
	return o.value
}

// SomeOr returns the value, or other where there is none.
func (o Option[T]) SomeOr(other T) T {
	if o.tag == OptionSome {
		return o.value
	}
	return other
}

// Result is a value or an error.
type Result[T any, E any] struct {
	tag   uint8
	value T
	fault E
}

// Ok holds a value.
func Ok[T any, E any](value T) Result[T, E] { return Result[T, E]{tag: ResultOk, value: value} }

// Err holds an error.
func Err[T any, E any](fault E) Result[T, E] { return Result[T, E]{tag: ResultErr, fault: fault} }

// Tag tells ResultOk from ResultErr.
func (r Result[T, E]) Tag() uint8 { return r.tag }

// IsOk tells whether it is a value.
func (r Result[T, E]) IsOk() bool { return r.tag == ResultOk }

// IsErr tells whether it is an error.
func (r Result[T, E]) IsErr() bool { return r.tag == ResultErr }

// Ok returns the value; it panics where there is an error.
func (r Result[T, E]) Ok() T {
	if r.tag != ResultOk {
		panic("Ok of a Result that is an error")
	}
	return r.value
}

// Err returns the error; it panics where there is a value.
func (r Result[T, E]) Err() E {
	if r.tag != ResultErr {
		panic("Err of a Result that is a value")
	}
	return r.fault
}
