/** Show the code of each card, read from the files that run. */

const REGION = (name) => new RegExp(`^ *// #region ${name}\\n([^]*?)^ *// #endregion`, 'm');

/** Load a card's code when its section is opened. `read` is a fetch that the event log does not see. */
export function showSources(read) {
  for (const details of document.querySelectorAll('details[data-source]')) {
    details.addEventListener('toggle', () => fill(details, read), { once: true });
  }
}

async function fill(details, read) {
  const { source, region } = details.dataset;
  const text = await (await read(source)).text();
  details.querySelector('code').textContent = dedent(text.match(REGION(region))[1]);
}

function dedent(text) {
  const lines = text.trimEnd().split('\n');
  const margin = Math.min(...lines.filter(Boolean).map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(margin)).join('\n');
}
