// A transformer: labels every object with the team that the configuration names.

export const transform = {
  transform(request) {
    const { team } = JSON.parse(request.config);
    if (!team) {
      throw invalid({
        severity: 'error',
        code: 'TeamMissing',
        message: 'the configuration names no team',
        help: 'set `team` in the configuration',
      });
    }
    const documents = request.documents.map(({ text, origin }) => {
      const object = JSON.parse(text);
      object.metadata.labels = { ...object.metadata.labels, team };
      return { text: JSON.stringify(object), origin };
    });
    return { documents, diagnostics: [], attributes: [] };
  },
};

// What is thrown with a `payload` is the plugin's own answer; anything else is a trap.
function invalid(...diagnostics) {
  return Object.assign(new Error(diagnostics[0].message), {
    payload: { tag: 'invalid', val: diagnostics },
  });
}
