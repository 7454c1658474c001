// What a program threw, as the user's diagnostic: the message, and where in the source it was.

// Makes the plugin's own answer: what is thrown with a `payload`. Anything else would be a trap.
export function invalid(...diagnostics) {
  return Object.assign(new Error(diagnostics[0].message), {
    payload: { tag: 'invalid', val: diagnostics },
  });
}

export function explain(error, modules) {
  if (error?.payload) return error;
  const message = String(error?.message ?? error);
  // Of the compiler of TypeScript: `Error transforming FILE: what (line:column)`.
  const syntax = message.match(/^Error transforming (.+?): ([\s\S]+?)(?: \((\d+):(\d+)\))?$/);
  if (syntax) {
    const [, path, what, line, column] = syntax;
    return wrong('SyntaxError', what, line ? { path, line: Number(line), column: Number(column) } : { path });
  }
  return wrong('ProgramFailed', message, place(error, modules));
}

function wrong(code, message, at) {
  return invalid({ severity: 'error', code, message: message.replace(/\s*\n\s*/g, ' '), at });
}

// Finds the innermost frame of the stack that is in a file of the source. Lines are those of the
// source, columns are not.
function place(error, modules) {
  for (const frame of String(error?.stack ?? '').split('\n')) {
    const [, file, line] = frame.match(/(?:^|[@( ])([^@( ]+):(\d+):\d+\)?$/) ?? [];
    if (file && modules.has(file)) return { path: file, line: Number(line) };
  }
  return undefined;
}
