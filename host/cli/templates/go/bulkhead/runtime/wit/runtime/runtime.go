// Package runtime hands memory and handles between Go and the host. The generated bindings import
// it; a plugin does not.
package runtime

import (
	"runtime"
	"unsafe"
)

// Handle is a resource of the host, or nothing once it was given away or dropped.
type Handle struct {
	value int32
}

// MakeHandle holds a resource.
func MakeHandle(value int32) *Handle {
	handle := &Handle{}
	handle.Set(value)
	return handle
}

// Use returns the resource; it panics where there is none.
func (h *Handle) Use() int32 {
	if h.value == 0 {
		panic("use of a resource that was dropped")
	}
	return h.value
}

// Take returns the resource and forgets it; it panics where there is none.
func (h *Handle) Take() int32 {
	value := h.Use()
	h.value = 0
	return value
}

// TakeOrNil returns the resource and forgets it; 0 where there is none.
func (h *Handle) TakeOrNil() int32 {
	value := h.value
	h.value = 0
	return value
}

// Set holds a resource; it panics where there is one already.
func (h *Handle) Set(value int32) {
	if value == 0 || h.value != 0 {
		panic("a resource in the wrong place")
	}
	h.value = value
}

// Allocate returns size bytes, zeroed and aligned, that stay where they are until pinner unpins.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	var memory unsafe.Pointer
	// Words of the right size are aligned to it.
	words := (size + align - 1) / align
	switch align {
	case 1:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint8, words)))
	case 2:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint16, words)))
	case 4:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint32, words)))
	default:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint64, words)))
	}
	pinner.Pin(memory)
	return memory
}

// What the host wrote for the call that goes on.
var arguments runtime.Pinner

// Unpin leaves what the host wrote to the garbage collector: it is referenced by now.
func Unpin() { arguments.Unpin() }

// Whether Go's runtime has started. Before, its allocator may not be used.
var started bool

func init() { started = true }

//go:linkname sbrk runtime.sbrk
func sbrk(bytes uintptr) unsafe.Pointer

// Makes the adapter answer the clock without asking the host. Go's garbage collector reads the clock,
// and the host may not be called while it allocates in the guest.
//
//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func pauseClock(paused bool)

// The host calls this to make room for what it passes.
//
//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if old != nil || oldSize != 0 {
		panic("the host moved an argument")
	}
	if started {
		pauseClock(true)
		memory := Allocate(&arguments, size, align)
		pauseClock(false)
		return memory
	}
	memory := sbrk(size + align)
	return unsafe.Add(memory, (align-uintptr(memory)%align)%align)
}
