// Numbers and times as people read them.

/**
 * @param {number|null|undefined} value
 * @param {number} digits that count
 * @returns {string} a dash where there is no number
 */
export function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 10 ** digits) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(digits)));
}

/**
 * @param {number|null|undefined} seconds
 * @returns {string} such as 2 h 5 min, 3 min 20 s, or 45 s
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/**
 * @param {string} time as RFC 3339 has it
 * @returns {string} in the person's own way and zone
 */
export function moment(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "–" : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
