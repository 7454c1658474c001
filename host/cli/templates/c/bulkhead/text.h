// Texts that grow, and the little of JSON that a plugin needs: finding a member, reading and writing
// a string. Memory is given back with the instance, after every call: nothing here frees.
#ifndef BULKHEAD_TEXT_H
#define BULKHEAD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

// Characters and their number; not ended by a zero.
typedef struct {
  const char *ptr;
  size_t len;
} slice;

// A text that grows; start with {0}.
typedef struct {
  char *ptr;
  size_t len, room;
} text;

slice slice_of(const char *zero_ended);
bool slice_is(slice a, const char *zero_ended);
// Finds what in where, from byte start on; returns where.len if it is not there.
size_t slice_find(slice where, slice what, size_t start);

void text_add(text *to, slice what);
void text_puts(text *to, const char *zero_ended);
void text_number(text *to, unsigned long long number);
slice text_slice(const text *from);

// Finds the value of a member of a JSON object: its characters, quotes and all. False if the object
// has no such member.
bool json_member(slice object, const char *name, slice *value);
// Decodes a JSON string; false if value is none.
bool json_string(slice value, text *decoded);
// Adds a JSON string, quotes and all.
void json_add_string(text *to, slice what);

#endif
