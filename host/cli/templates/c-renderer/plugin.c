// A renderer: returns every .yaml file of the directory, with ${environment} replaced by what the
// configuration says. Memory is given back with the instance, after the call.
#include <stdlib.h>

#include "bulkhead/renderer.h"
#include "bulkhead/text.h"

static const char PLACEHOLDER[] = "${environment}";

static slice in(renderer_string_t string) { return (slice){(const char *)string.ptr, string.len}; }

static renderer_string_t out(const text *from) {
  return (renderer_string_t){(uint8_t *)from->ptr, from->len};
}

// Says that a file needs what the configuration lacks.
static bool missing(renderer_string_t path, uint32_t line, bulkhead_renderer_types_error_t *err) {
  text message = {0};
  text_puts(&message, "`");
  text_add(&message, in(path));
  text_puts(&message, "` needs an environment, and the configuration names none");
  bulkhead_base_types_diagnostic_t *wrong = calloc(1, sizeof *wrong);
  wrong->severity = BULKHEAD_BASE_TYPES_SEVERITY_ERROR;
  renderer_string_dup(&wrong->code, "EnvironmentMissing");
  wrong->message = out(&message);
  wrong->at.is_some = true;
  wrong->at.val.path = path;
  wrong->at.val.line = (renderer_option_u32_t){true, line};
  wrong->help.is_some = true;
  renderer_string_dup(&wrong->help.val, "set `environment` in the configuration");
  err->tag = BULKHEAD_RENDERER_TYPES_ERROR_INVALID;
  err->val.invalid = (bulkhead_renderer_types_list_diagnostic_t){wrong, 1};
  return false;
}

// Says that a path could not be read.
static bool unread(renderer_string_t path, bulkhead_renderer_types_error_t *err) {
  text message = {0};
  text_puts(&message, "failed to read `");
  text_add(&message, in(path));
  text_puts(&message, "`");
  err->tag = BULKHEAD_RENDERER_TYPES_ERROR_FAILED;
  err->val.failed = out(&message);
  return false;
}

static uint32_t line_of(slice content, size_t at) {
  uint32_t line = 1;
  for (size_t before = 0; before < at; before++)
    line += content.ptr[before] == '\n';
  return line;
}

static text replaced(slice content, slice environment) {
  text made = {0};
  slice placeholder = slice_of(PLACEHOLDER);
  for (size_t at = 0; at < content.len;) {
    size_t next = slice_find(content, placeholder, at);
    text_add(&made, (slice){content.ptr + at, next - at});
    if (next < content.len) {
      text_add(&made, environment);
      next += placeholder.len;
    }
    at = next;
  }
  return made;
}

// Answers one call of the host: true with *ret, or false with *err.
bool exports_bulkhead_renderer_render_render(
    exports_bulkhead_renderer_render_borrow_tree_t source,
    exports_bulkhead_renderer_render_request_t *request,
    exports_bulkhead_renderer_render_output_t *ret, exports_bulkhead_renderer_render_error_t *err) {
  slice value;
  text environment = {0};
  if (json_member(in(request->config), "environment", &value))
    json_string(value, &environment);

  text wanted = {0};
  if (request->path.len > 0) { // The root has an empty path.
    text_add(&wanted, in(request->path));
    text_puts(&wanted, "/");
  }
  text_puts(&wanted, "*.yaml");
  renderer_string_t pattern = out(&wanted);
  bulkhead_base_tree_list_entry_t entries;
  bulkhead_base_tree_error_t problem;
  if (!bulkhead_base_tree_method_tree_glob(source, &pattern, &entries, &problem))
    return unread(pattern, err);

  *ret = (exports_bulkhead_renderer_render_output_t){0};
  ret->documents.ptr = calloc(entries.len + 1, sizeof *ret->documents.ptr);
  ret->documents.len = entries.len;
  for (size_t i = 0; i < entries.len; i++) {
    renderer_string_t path = entries.ptr[i].path;
    renderer_list_u8_t file;
    if (!bulkhead_base_tree_method_tree_read(source, &path, &file, &problem))
      return unread(path, err);
    slice content = {(const char *)file.ptr, file.len};
    size_t at = slice_find(content, slice_of(PLACEHOLDER), 0);
    if (at < content.len && environment.len == 0)
      return missing(path, line_of(content, at), err);
    text made = replaced(content, text_slice(&environment));
    bulkhead_renderer_types_document_t *document = &ret->documents.ptr[i];
    document->text = out(&made);
    document->origin.is_some = true;
    document->origin.val.path = path;
  }
  return true;
}
