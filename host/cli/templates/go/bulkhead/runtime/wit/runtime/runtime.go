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

// Unpin is part of what the generated bindings call. What the host wrote stays until the instance
// goes, which is after every call.
func Unpin() {}

//go:linkname sbrk runtime.sbrk
func sbrk(bytes uintptr) unsafe.Pointer

// The memory system hands out pages of this size.
const page = 64 << 10

// Where the host writes next, and what is left there.
var room struct {
	next unsafe.Pointer
	left uintptr
}

// The host calls this to make room for what it passes, perhaps before Go's runtime has started. It
// must not call the host back, which Go's allocator may do: its collector reads the clock. So this
// takes pages of its own.
//
//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if old != nil || oldSize != 0 {
		panic("the host moved an argument")
	}
	skip := (align - uintptr(room.next)%align) % align
	if room.left < skip+size {
		room.left = (size + page) / page * page
		room.next, skip = sbrk(room.left), 0
	}
	memory := unsafe.Add(room.next, skip)
	room.next = unsafe.Add(memory, size)
	room.left -= skip + size
	return memory
}
