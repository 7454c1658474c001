// A renderer: returns every .yaml file of the directory, with ${environment} replaced by what the
// configuration says.

const PLACEHOLDER = '${environment}';

export const render = {
  render(source, request) {
    const { environment } = JSON.parse(request.config);
    const documents = [];
    // The root has an empty path.
    const folder = request.path && `${request.path}/`;
    for (const { path } of source.glob(`${folder}*.yaml`)) {
      const text = new TextDecoder().decode(source.read(path));
      const at = text.indexOf(PLACEHOLDER);
      if (at >= 0 && !environment) {
        throw invalid(missing(path, text.slice(0, at).split('\n').length));
      }
      documents.push({
        text: text.replaceAll(PLACEHOLDER, () => environment),
        origin: { path },
      });
    }
    return { documents, diagnostics: [], attributes: [] };
  },
};

function missing(path, line) {
  return {
    severity: 'error',
    code: 'EnvironmentMissing',
    message: `\`${path}\` needs an environment, and the configuration names none`,
    at: { path, line },
    help: 'set `environment` in the configuration',
  };
}

// What is thrown with a `payload` is the plugin's own answer; anything else is a trap.
function invalid(...diagnostics) {
  return Object.assign(new Error(diagnostics[0].message), {
    payload: { tag: 'invalid', val: diagnostics },
  });
}
