// On a phone, a table of text that is too wide becomes a list: one line for each cell, with the name of
// its column. Tables of figures stay tables, because readers compare their rows.
function stackWideTables() {
  for (const table of document.querySelectorAll('table.docutils:not(:has(td.text-right))')) {
    const wrapper = table.closest('.table-wrapper');
    if (!phone.matches || !wrapper || wrapper.scrollWidth <= wrapper.clientWidth) continue;
    const names = [...table.querySelectorAll('thead th')].map((name) => name.textContent);
    for (const row of table.querySelectorAll('tbody tr')) {
      [...row.cells].forEach((cell, column) => (cell.dataset.column = names[column]));
    }
    table.classList.add('stacked');
  }
}

const phone = matchMedia('(max-width: 46em)');
phone.addEventListener('change', stackWideTables);
stackWideTables();

// A wide table or a long line of code scrolls inside its container, also by keyboard in every browser.
for (const region of document.querySelectorAll('.table-wrapper, pre')) {
  if (region.scrollWidth > region.clientWidth) {
    region.tabIndex = 0;
  }
}

// Sphinx and Furo leave these incomplete for screen readers: headings without a level, and two
// landmarks with the same name.
for (const caption of document.querySelectorAll('.sidebar-tree [role=heading]')) {
  caption.ariaLevel = '2';
}
document.querySelector('.sidebar-drawer').ariaLabel = 'All pages';
document.querySelector('.toc-drawer').ariaLabel = 'On this page';
