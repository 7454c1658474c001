#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

slice slice_of(const char *zero_ended) {
  return (slice){zero_ended, strlen(zero_ended)};
}

bool slice_is(slice a, const char *zero_ended) {
  return a.len == strlen(zero_ended) && memcmp(a.ptr, zero_ended, a.len) == 0;
}

size_t slice_find(slice where, slice what, size_t start) {
  for (size_t at = start; at + what.len <= where.len; at++)
    if (memcmp(where.ptr + at, what.ptr, what.len) == 0)
      return at;
  return where.len;
}

void text_add(text *to, slice what) {
  if (to->room < to->len + what.len) {
    to->room = (to->len + what.len) * 2;
    to->ptr = realloc(to->ptr, to->room);
    if (to->ptr == NULL)
      abort();
  }
  if (what.len > 0)
    memcpy(to->ptr + to->len, what.ptr, what.len);
  to->len += what.len;
}

void text_puts(text *to, const char *zero_ended) { text_add(to, slice_of(zero_ended)); }

void text_number(text *to, unsigned long long number) {
  char digits[20];
  size_t first = sizeof digits;
  do
    digits[--first] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  text_add(to, (slice){digits + first, sizeof digits - first});
}

slice text_slice(const text *from) { return (slice){from->ptr, from->len}; }

static size_t skip_space(slice json, size_t at) {
  while (at < json.len && memchr(" \t\r\n", json.ptr[at], 4) != NULL)
    at++;
  return at;
}

// Returns the end of the string that starts at a quote.
static size_t skip_string(slice json, size_t at) {
  for (at++; at < json.len && json.ptr[at] != '"'; at++)
    if (json.ptr[at] == '\\')
      at++;
  return at < json.len ? at + 1 : json.len;
}

// Returns the end of the value that starts at at.
static size_t skip_value(slice json, size_t at) {
  size_t depth = 0;
  while (at < json.len) {
    char next = json.ptr[at];
    if (next == '"') {
      at = skip_string(json, at);
    } else if (next == '{' || next == '[') {
      depth++, at++;
    } else if (next == '}' || next == ']') {
      if (depth == 0)
        return at;
      depth--, at++;
    } else if (depth == 0 && next == ',') {
      return at;
    } else {
      at++;
      continue;
    }
    if (depth == 0)
      return at;
  }
  return at;
}

bool json_member(slice object, const char *name, slice *value) {
  size_t at = skip_space(object, 0);
  if (at >= object.len || object.ptr[at] != '{')
    return false;
  for (at++;;) {
    at = skip_space(object, at);
    if (at >= object.len || object.ptr[at] != '"')
      return false;
    size_t end = skip_string(object, at);
    text key = {0};
    json_string((slice){object.ptr + at, end - at}, &key);
    at = skip_space(object, end);
    if (at >= object.len || object.ptr[at] != ':')
      return false;
    at = skip_space(object, at + 1);
    end = skip_value(object, at);
    if (slice_is(text_slice(&key), name)) {
      *value = (slice){object.ptr + at, end - at};
      return true;
    }
    at = skip_space(object, end);
    if (at >= object.len || object.ptr[at] != ',')
      return false;
    at++;
  }
}

static unsigned hex(slice from, size_t at) {
  unsigned code = 0;
  for (size_t end = at + 4; at < end && at < from.len; at++) {
    char c = from.ptr[at];
    code = code * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
  }
  return code;
}

static void add_code_point(text *to, unsigned code) {
  char bytes[4];
  size_t len;
  if (code < 0x80) {
    bytes[0] = (char)code, len = 1;
  } else if (code < 0x800) {
    bytes[0] = (char)(0xc0 | code >> 6), bytes[1] = (char)(0x80 | (code & 63)), len = 2;
  } else if (code < 0x10000) {
    bytes[0] = (char)(0xe0 | code >> 12), bytes[1] = (char)(0x80 | (code >> 6 & 63));
    bytes[2] = (char)(0x80 | (code & 63)), len = 3;
  } else {
    bytes[0] = (char)(0xf0 | code >> 18), bytes[1] = (char)(0x80 | (code >> 12 & 63));
    bytes[2] = (char)(0x80 | (code >> 6 & 63)), bytes[3] = (char)(0x80 | (code & 63)), len = 4;
  }
  text_add(to, (slice){bytes, len});
}

bool json_string(slice value, text *decoded) {
  if (value.len < 2 || value.ptr[0] != '"')
    return false;
  static const char names[] = "bfnrt", bytes[] = "\b\f\n\r\t";
  for (size_t at = 1; at + 1 < value.len; at++) {
    char c = value.ptr[at];
    if (c != '\\') {
      text_add(decoded, (slice){&c, 1});
      continue;
    }
    c = value.ptr[++at];
    const char *named = strchr(names, c);
    if (c == 'u') {
      unsigned code = hex(value, at + 1);
      at += 4;
      // Two halves of a character outside the basic plane.
      if (code >= 0xd800 && code < 0xdc00 && at + 6 < value.len && value.ptr[at + 1] == '\\') {
        code = 0x10000 + ((code - 0xd800) << 10) + (hex(value, at + 3) - 0xdc00);
        at += 6;
      }
      add_code_point(decoded, code);
    } else if (named != NULL) {
      text_add(decoded, (slice){&bytes[named - names], 1});
    } else {
      text_add(decoded, (slice){&c, 1});
    }
  }
  return true;
}

void json_add_string(text *to, slice what) {
  static const char digits[] = "0123456789abcdef";
  text_puts(to, "\"");
  for (size_t at = 0; at < what.len; at++) {
    unsigned char c = (unsigned char)what.ptr[at];
    if (c == '"' || c == '\\') {
      char escaped[2] = {'\\', (char)c};
      text_add(to, (slice){escaped, 2});
    } else if (c == '\n') {
      text_puts(to, "\\n");
    } else if (c < 0x20) {
      char escaped[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
      text_add(to, (slice){escaped, 6});
    } else {
      text_add(to, (slice){&what.ptr[at], 1});
    }
  }
  text_puts(to, "\"");
}
