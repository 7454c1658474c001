// console, for programs: lines go to the host's log.

import { log as write } from 'bulkhead:base/log@0.1.0';

const line = (level) => (...items) => {
  const shown = items.map((item) => (typeof item === 'string' ? item : JSON.stringify(item)));
  write(level, shown.join(' '), []);
};

export const log = { debug: line('debug'), log: line('info'), info: line('info'), warn: line('warn'), error: line('error') };
