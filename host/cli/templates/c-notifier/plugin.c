// A notifier: posts {"text": "..."} to the address of the Provider. Memory is given back with the
// instance, after the call.
#include <stdlib.h>

#include "bulkhead/notifier.h"
#include "bulkhead/text.h"

static slice in(notifier_string_t string) { return (slice){(const char *)string.ptr, string.len}; }

static notifier_string_t out(const text *from) {
  return (notifier_string_t){(uint8_t *)from->ptr, from->len};
}

static void add_line(text *to, const exports_bulkhead_notifier_notify_event_t *event) {
  const bulkhead_base_types_object_ref_t *object = &event->object;
  text_add(to, in(object->kind));
  text_puts(to, " ");
  text_add(to, object->namespace_.is_some ? in(object->namespace_.val) : slice_of("-"));
  text_puts(to, "/");
  text_add(to, in(object->name));
  text_puts(to, ": ");
  text_add(to, in(event->reason));
  text_puts(to, ": ");
  text_add(to, in(event->message));
}

static exports_bulkhead_notifier_notify_list_part_t part(uint8_t tag, const char *content) {
  exports_bulkhead_notifier_notify_part_t *made = calloc(1, sizeof *made);
  made->tag = tag;
  notifier_string_dup(&made->val.text, content);
  return (exports_bulkhead_notifier_notify_list_part_t){made, 1};
}

// Begins to deliver events: true with *ret, or false with *err.
bool exports_bulkhead_notifier_notify_start(exports_bulkhead_notifier_notify_list_event_t *events,
                                            notifier_string_t *config, notifier_list_u8_t *state,
                                            exports_bulkhead_notifier_notify_outcome_t *ret,
                                            exports_bulkhead_notifier_notify_error_t *err) {
  (void)config, (void)state, (void)err;
  text lines = {0}, body = {0};
  for (size_t i = 0; i < events->len; i++) {
    if (i > 0)
      text_puts(&lines, "\n");
    add_line(&lines, &events->ptr[i]);
  }
  text_puts(&body, "{\"text\":");
  json_add_string(&body, text_slice(&lines));
  text_puts(&body, "}");

  exports_bulkhead_notifier_notify_header_t *header = calloc(1, sizeof *header);
  notifier_string_dup(&header->name, "Content-Type");
  header->value = part(EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_PART_TEXT, "application/json");
  exports_bulkhead_notifier_notify_request_t *request = calloc(1, sizeof *request);
  notifier_string_dup(&request->method, "POST");
  request->url = part(EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_PART_SECRET, "address");
  request->headers = (exports_bulkhead_notifier_notify_list_header_t){header, 1};
  request->body = (notifier_list_u8_t){(uint8_t *)body.ptr, body.len};
  request->signing.tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_SIGNING_NONE;

  ret->tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_OUTCOME_NEXT;
  ret->val.next = (exports_bulkhead_notifier_notify_step_t){{request, 1}, {NULL, 0}};
  return true;
}

// Goes on after the requests were answered.
bool exports_bulkhead_notifier_notify_resume(
    exports_bulkhead_notifier_notify_list_response_t *responses, notifier_string_t *config,
    notifier_list_u8_t *state, exports_bulkhead_notifier_notify_outcome_t *ret,
    exports_bulkhead_notifier_notify_error_t *err) {
  (void)config, (void)state, (void)err;
  for (size_t i = 0; i < responses->len; i++) {
    uint16_t status = responses->ptr[i].status;
    if (status == 429) {
      ret->tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_OUTCOME_RETRY;
      ret->val.retry.is_some = false;
      return true;
    }
    if (status < 200 || status > 299) {
      text why = {0};
      text_puts(&why, "the service answered with status ");
      text_number(&why, status);
      ret->tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_OUTCOME_FAILED;
      ret->val.failed = out(&why);
      return true;
    }
  }
  ret->tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_OUTCOME_DONE;
  ret->val.done = (notifier_list_u8_t){NULL, 0};
  return true;
}
