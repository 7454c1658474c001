// A transformer: labels every object with the team that the configuration names. Objects come as
// JSON. Memory is given back with the instance, after the call.
#include <stdlib.h>

#include "bulkhead/text.h"
#include "bulkhead/transformer.h"

static slice in(transformer_string_t string) {
  return (slice){(const char *)string.ptr, string.len};
}

static transformer_string_t out(const text *from) {
  return (transformer_string_t){(uint8_t *)from->ptr, from->len};
}

static bool missing(bulkhead_renderer_types_error_t *err) {
  bulkhead_base_types_diagnostic_t *wrong = calloc(1, sizeof *wrong);
  wrong->severity = BULKHEAD_BASE_TYPES_SEVERITY_ERROR;
  transformer_string_dup(&wrong->code, "TeamMissing");
  transformer_string_dup(&wrong->message, "the configuration names no team");
  wrong->help.is_some = true;
  transformer_string_dup(&wrong->help.val, "set `team` in the configuration");
  err->tag = BULKHEAD_RENDERER_TYPES_ERROR_INVALID;
  err->val.invalid = (bulkhead_renderer_types_list_diagnostic_t){wrong, 1};
  return false;
}

// Returns object with the member name set to value, which is JSON.
static text with_member(slice object, const char *name, slice value) {
  text made = {0};
  slice old;
  if (json_member(object, name, &old)) {
    size_t at = (size_t)(old.ptr - object.ptr);
    text_add(&made, (slice){object.ptr, at});
    text_add(&made, value);
    text_add(&made, (slice){object.ptr + at + old.len, object.len - at - old.len});
    return made;
  }
  slice inner = {object.ptr + 1, object.len - 1};
  text_puts(&made, "{");
  json_add_string(&made, slice_of(name));
  text_puts(&made, ":");
  text_add(&made, value);
  if (inner.len > 1)
    text_puts(&made, ",");
  text_add(&made, inner);
  return made;
}

static text labelled(slice object, slice team) {
  slice metadata = slice_of("{}"), labels = slice_of("{}");
  json_member(object, "metadata", &metadata);
  json_member(metadata, "labels", &labels);
  if (slice_is(labels, "null"))
    labels = slice_of("{}");
  text value = {0};
  json_add_string(&value, team);
  text new_labels = with_member(labels, "team", text_slice(&value));
  text new_metadata = with_member(metadata, "labels", text_slice(&new_labels));
  return with_member(object, "metadata", text_slice(&new_metadata));
}

// Answers one call of the host: true with *ret, or false with *err.
bool exports_bulkhead_renderer_transform_transform(
    exports_bulkhead_renderer_transform_request_t *request,
    exports_bulkhead_renderer_transform_output_t *ret,
    exports_bulkhead_renderer_transform_error_t *err) {
  slice value;
  text team = {0};
  if (!json_member(in(request->config), "team", &value) || !json_string(value, &team) ||
      team.len == 0)
    return missing(err);
  *ret = (exports_bulkhead_renderer_transform_output_t){0};
  ret->documents.ptr = request->documents.ptr;
  ret->documents.len = request->documents.len;
  for (size_t i = 0; i < ret->documents.len; i++) {
    text made = labelled(in(ret->documents.ptr[i].text), text_slice(&team));
    ret->documents.ptr[i].text = out(&made);
  }
  return true;
}
