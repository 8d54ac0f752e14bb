/** The little that the page needs to build itself; no HTML is ever made from text. */

export const $ = (selector) => document.querySelector(selector);

/** Make an element of a class, with children. */
export function el(name, className = '', ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Call a function when a button is pressed; the button is busy until it is done. */
export function onPress(selector, work) {
  const button = $(selector);
  button.addEventListener('click', async () => {
    if (button.ariaDisabled === 'true') return;
    button.ariaDisabled = 'true'; // not `disabled`, which would take the focus away
    try {
      await work();
    } finally {
      button.ariaDisabled = null;
    }
  });
}

/** Good, odd or bad: how a status is coloured. */
export function toneOf(status) {
  if (status >= 200 && status < 300) return 'good';
  return status === 401 ? 'odd' : 'bad';
}

/** Show a status, or whatever is to be read in its place. */
export const chip = (text, tone = toneOf(text)) => el('span', `chip ${tone}`, String(text));

/** Seconds as minutes and seconds. */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
