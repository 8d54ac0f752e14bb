/** The tour for the first visit: three steps, each beside its card. */

import { $, onPress } from './dom.js';

const HEADERS = { 'Content-Type': 'application/json', 'X-Requested-With': 'playground' };

const STEPS = [
  ['#token-title', 'This is your access token. The client sends it with every call, and it is valid for five minutes.'],
  ['#calls-title', 'Press “20 at once”, and watch the event log: twenty calls need only one refresh.'],
  ['#theft-title', 'Now be the thief: press the three buttons in their order, and see who stays logged in.'],
];

export function showTour() {
  const panel = $('#tour');
  let current = -1;
  let marked;

  function go(step) {
    const [title, text] = STEPS[step];
    current = step;
    mark($(title).closest('.card'));
    marked.before(panel);
    panel.hidden = false;
    $('#tour-start').hidden = true;
    $('#tour-text').textContent = text;
    $('#tour-title').textContent = `Tour: step ${step + 1} of ${STEPS.length}`;
    const last = step + 1 === STEPS.length;
    $('#tour-next').textContent = last ? 'Finish' : 'Next';
    $('#tour-end').hidden = last;
  }

  /** Show a step, and move the page and the focus to it. */
  function visit(step) {
    go(step);
    panel.scrollIntoView();
    $('#tour-title').focus({ preventScroll: true });
  }

  function mark(card) {
    marked?.classList.remove('marked');
    card?.classList.add('marked');
    marked = card;
  }

  /** End the tour, and let the server remember that in a cookie which no script can read. */
  async function end() {
    const heading = $(STEPS[current][0]);
    mark(null);
    panel.hidden = true;
    $('#tour-start').hidden = false;
    heading.tabIndex = -1; // so that the focus can move here
    heading.focus({ preventScroll: true });
    await fetch('/playground/tour/', { method: 'POST', headers: HEADERS }).catch(() => null);
  }

  onPress('#tour-next', () => (current + 1 < STEPS.length ? visit(current + 1) : end()));
  onPress('#tour-end', end);
  onPress('#tour-start', () => visit(0));
  panel.addEventListener('keydown', ({ key }) => key === 'Escape' && end());
  if (!panel.hidden) go(0);
}
