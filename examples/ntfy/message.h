// What a message of ntfy says about events.
#ifndef NTFY_MESSAGE_H
#define NTFY_MESSAGE_H

#include "bulkhead/notifier.h"
#include "bulkhead/text.h"

// The characters of a string of the host.
slice in(notifier_string_t string);

// Writes the message about events, as ntfy's API takes it in JSON.
text message_of(slice topic, const exports_bulkhead_notifier_notify_list_event_t *events);

#endif
