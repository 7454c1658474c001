#include "message.h"

// Longest text that ntfy shows as a message; longer ones become attachments.
enum { MESSAGE_MAX_BYTES = 4096 };

// Severities as ntfy's priorities (1 to 5), and the emoji that it puts before a title.
static const char *const PRIORITIES[] = {"3", "4", "5"};
static const char *const EMOJI[] = {"white_check_mark", "warning", "rotating_light"};

slice in(notifier_string_t string) { return (slice){(const char *)string.ptr, string.len}; }

static void add_object(text *to, const bulkhead_base_types_object_ref_t *object) {
  text_add(to, in(object->kind));
  text_puts(to, " ");
  if (object->namespace_.is_some) {
    text_add(to, in(object->namespace_.val));
    text_puts(to, "/");
  }
  text_add(to, in(object->name));
}

// Adds an event's message, its revision, and what its metadata says, a line each.
static void add_body(text *to, const exports_bulkhead_notifier_notify_event_t *event) {
  text_add(to, in(event->message));
  if (event->revision.is_some) {
    text_puts(to, "\nrevision: ");
    text_add(to, in(event->revision.val));
  }
  for (size_t i = 0; i < event->attributes.len; i++) {
    notifier_tuple2_string_string_t fact = event->attributes.ptr[i];
    if (slice_is(in(fact.f0), "event.controller") || slice_is(in(fact.f0), "revision"))
      continue; // For programs, or told already.
    text_puts(to, "\n");
    text_add(to, in(fact.f0));
    text_puts(to, ": ");
    text_add(to, in(fact.f1));
  }
}

// Cuts a text that is too long, between two characters.
static slice cut(slice whole) {
  static const char more[] = "…";
  if (whole.len <= MESSAGE_MAX_BYTES)
    return whole;
  size_t end = MESSAGE_MAX_BYTES - (sizeof more - 1);
  while (end > 0 && ((unsigned char)whole.ptr[end] & 0xC0) == 0x80) // Inside a character.
    end--;
  text made = {0};
  text_add(&made, (slice){whole.ptr, end});
  text_puts(&made, more);
  return text_slice(&made);
}

static void add_member(text *to, const char *name, slice value) {
  text_puts(to, ",");
  json_add_string(to, slice_of(name));
  text_puts(to, ":");
  json_add_string(to, value);
}

text message_of(slice topic, const exports_bulkhead_notifier_notify_list_event_t *events) {
  const exports_bulkhead_notifier_notify_event_t *first = &events->ptr[0];
  text title = {0}, body = {0}, made = {0};
  uint8_t severity = 0;
  for (size_t i = 0; i < events->len; i++) {
    const exports_bulkhead_notifier_notify_event_t *event = &events->ptr[i];
    if (event->severity > severity)
      severity = event->severity;
    if (events->len > 1) { // The title names the first alone.
      text_puts(&body, i > 0 ? "\n\n" : "");
      add_object(&body, &event->object);
      text_puts(&body, ": ");
      text_add(&body, in(event->reason));
      text_puts(&body, "\n");
    }
    add_body(&body, event);
  }
  add_object(&title, &first->object);
  text_puts(&title, ": ");
  text_add(&title, in(first->reason));
  if (events->len > 1) {
    text_puts(&title, " (and ");
    text_number(&title, events->len - 1);
    text_puts(&title, " more)");
  }

  text_puts(&made, "{\"topic\":");
  json_add_string(&made, topic);
  add_member(&made, "title", text_slice(&title));
  add_member(&made, "message", cut(text_slice(&body)));
  text_puts(&made, ",\"priority\":");
  text_puts(&made, PRIORITIES[severity]);
  text_puts(&made, ",\"tags\":[");
  json_add_string(&made, slice_of(EMOJI[severity]));
  text_puts(&made, "]");
  if (first->links.len > 0) // Opened by a tap on the message.
    add_member(&made, "click", in(first->links.ptr[0].f1));
  text_puts(&made, "}");
  return made;
}
