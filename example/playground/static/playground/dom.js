/** Small DOM helpers. They never build HTML from strings. */

export const $ = (selector) => document.querySelector(selector);

/** Make an element with a class and children. */
export function el(name, className = '', ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Show a button as busy while a function runs; ignore further presses until it has finished. */
export async function busy(button, work) {
  if (button.ariaDisabled === 'true') return;
  button.ariaDisabled = 'true'; // `disabled` would remove the focus
  try {
    await work();
  } finally {
    button.ariaDisabled = null;
  }
}

/** Call a function when a button is pressed. */
export function onPress(selector, work) {
  const button = $(selector);
  button.addEventListener('click', () => busy(button, work));
}

/** Return the colour class of a status: good, odd or bad. */
export function toneOf(status) {
  if (status >= 200 && status < 300) return 'good';
  return status === 401 ? 'odd' : 'bad';
}

/** Make a coloured label for a status or another string. */
export const chip = (text, tone = toneOf(text)) => el('span', `chip ${tone}`, String(text));

/** Format seconds as minutes and seconds. */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
