/** Refuses ports that need privileges. */
export function port(number: number): number {
  if (number < 1024) {
    throw new Error(`port ${number} is privileged`);
  }
  return number;
}
