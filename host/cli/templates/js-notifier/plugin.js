// A notifier: posts {"text": "..."} to the address of the Provider.

const EMPTY = new Uint8Array();

export const notify = {
  start(events, config, state) {
    const text = events.map(line).join('\n');
    const request = {
      id: 0,
      method: 'POST',
      url: [{ tag: 'secret', val: 'address' }],
      headers: [{ name: 'Content-Type', value: [{ tag: 'text', val: 'application/json' }] }],
      body: new TextEncoder().encode(JSON.stringify({ text })),
      signing: { tag: 'none' },
    };
    return { tag: 'next', val: { send: [request], state: EMPTY } };
  },

  resume(responses, config, state) {
    for (const { status } of responses) {
      if (status === 429) return { tag: 'retry' };
      if (status < 200 || status > 299) {
        return { tag: 'failed', val: `the service answered with status ${status}` };
      }
    }
    return { tag: 'done', val: EMPTY };
  },
};

function line({ object, reason, message }) {
  return `${object.kind} ${object.namespace ?? '-'}/${object.name}: ${reason}: ${message}`;
}
