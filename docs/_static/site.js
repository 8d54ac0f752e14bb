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
