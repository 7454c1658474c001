// A notifier: publishes events to a topic of ntfy (https://ntfy.sh, or a server of one's own), as one
// message in JSON. The Provider's address is the server's, its channel the topic; a secret `token`
// is sent along. Memory is given back with the instance, after the call.
#include <stdlib.h>

#include "message.h"

typedef exports_bulkhead_notifier_notify_outcome_t outcome;
typedef exports_bulkhead_notifier_notify_part_t part;
typedef exports_bulkhead_notifier_notify_list_part_t parts;
typedef exports_bulkhead_notifier_notify_response_t response;

static notifier_string_t out(const text *from) {
  return (notifier_string_t){(uint8_t *)from->ptr, from->len};
}

static part text_part(const char *content) {
  part made = {.tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_PART_TEXT};
  notifier_string_dup(&made.val.text, content);
  return made;
}

// The host puts the value in, after this plugin has returned.
static part secret_part(const char *name) {
  part made = {.tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_PART_SECRET};
  notifier_string_dup(&made.val.secret, name);
  return made;
}

static parts list(size_t len, const part *from) {
  part *made = calloc(len, sizeof *made);
  for (size_t i = 0; i < len; i++)
    made[i] = from[i];
  return (parts){made, len};
}

// Tells whether the Provider has a secret of this name. The names are plain: nothing is escaped.
static bool has_secret(slice config, const char *name) {
  slice secrets;
  text quoted = {0};
  json_add_string(&quoted, slice_of(name));
  return json_member(config, "secrets", &secrets) &&
         slice_find(secrets, text_slice(&quoted), 0) < secrets.len;
}

static bool failed(const char *what, slice why, outcome *ret) {
  text made = {0};
  text_puts(&made, what);
  if (why.len > 0) {
    text_puts(&made, ": ");
    text_add(&made, why);
  }
  ret->tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_OUTCOME_FAILED;
  ret->val.failed = out(&made);
  return true;
}

// Begins to deliver events: true with *ret, or false with *err.
bool exports_bulkhead_notifier_notify_start(exports_bulkhead_notifier_notify_list_event_t *events,
                                            notifier_string_t *config, notifier_list_u8_t *state,
                                            outcome *ret,
                                            exports_bulkhead_notifier_notify_error_t *err) {
  (void)state;
  slice value;
  text topic = {0};
  if (!json_member(in(*config), "channel", &value) || !json_string(value, &topic) ||
      topic.len == 0) {
    err->tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_ERROR_INVALID_CONFIG;
    notifier_string_dup(&err->val.invalid_config, "`channel` has to name the topic of ntfy");
    return false;
  }
  text body = message_of(text_slice(&topic), events);
  exports_bulkhead_notifier_notify_header_t *headers = calloc(2, sizeof *headers);
  size_t count = 1;
  notifier_string_dup(&headers[0].name, "Content-Type");
  headers[0].value = list(1, (part[]){text_part("application/json")});
  if (has_secret(in(*config), "token")) {
    notifier_string_dup(&headers[1].name, "Authorization");
    headers[1].value = list(2, (part[]){text_part("Bearer "), secret_part("token")});
    count = 2;
  }
  exports_bulkhead_notifier_notify_request_t *request = calloc(1, sizeof *request);
  notifier_string_dup(&request->method, "POST");
  request->url = list(1, (part[]){secret_part("address")});
  request->headers = (exports_bulkhead_notifier_notify_list_header_t){headers, count};
  request->body = (notifier_list_u8_t){(uint8_t *)body.ptr, body.len};
  request->signing.tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_SIGNING_NONE;

  ret->tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_OUTCOME_NEXT;
  ret->val.next = (exports_bulkhead_notifier_notify_step_t){{request, 1}, {NULL, 0}};
  return true;
}

// Reads the seconds of `Retry-After`; a date is left to the host's own patience.
static notifier_option_u32_t retry_after(const response *answer) {
  notifier_option_u32_t seconds = {false, 0};
  for (size_t i = 0; i < answer->headers.len; i++) {
    slice digits = in(answer->headers.ptr[i].f1);
    if (!slice_is(in(answer->headers.ptr[i].f0), "retry-after") || digits.len > 6)
      continue;
    seconds.is_some = digits.len > 0;
    for (size_t at = 0; at < digits.len; at++) {
      if (digits.ptr[at] < '0' || digits.ptr[at] > '9')
        return (notifier_option_u32_t){false, 0};
      seconds.val = seconds.val * 10 + (uint32_t)(digits.ptr[at] - '0');
    }
  }
  return seconds;
}

// What ntfy says about an error, or nothing.
static slice reason(const response *answer) {
  slice body = {(const char *)answer->body.ptr, answer->body.len}, value;
  text error = {0};
  if (json_member(body, "error", &value) && json_string(value, &error))
    return text_slice(&error);
  return slice_of("");
}

// Goes on after the request was answered.
bool exports_bulkhead_notifier_notify_resume(
    exports_bulkhead_notifier_notify_list_response_t *responses, notifier_string_t *config,
    notifier_list_u8_t *state, outcome *ret, exports_bulkhead_notifier_notify_error_t *err) {
  (void)config, (void)state, (void)err;
  const response *answer = &responses->ptr[0];
  switch (answer->status) {
  case 0: // No answer: the host says why.
    return failed("ntfy did not answer",
                  (slice){(const char *)answer->body.ptr, answer->body.len}, ret);
  case 401:
  case 403:
    return failed("ntfy does not let this provider publish to the topic; its secret `token` has to "
                  "be one that may",
                  reason(answer), ret);
  case 429:
    ret->tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_OUTCOME_RETRY;
    ret->val.retry = retry_after(answer);
    return true;
  }
  if (answer->status < 200 || answer->status > 299) {
    text what = {0};
    text_puts(&what, "ntfy answered with status ");
    text_number(&what, answer->status);
    text_add(&what, (slice){"", 1}); // A zero, for the end.
    return failed(what.ptr, reason(answer), ret);
  }
  ret->tag = EXPORTS_BULKHEAD_NOTIFIER_NOTIFY_OUTCOME_DONE;
  ret->val.done = (notifier_list_u8_t){NULL, 0};
  return true;
}
