export const EOL = '\n';
export const platform = () => 'wasi';
export const tmpdir = () => '/.tmp';
