// The order of search results: the values are Sphinx's own, and `score` changes two things.
// Sphinx sorts results of the same score by their titles.
const INSIDE = /^(decisions\/|benchmarks$|changelog$|reliability$|structure$)/;

var Scorer = {
  score: ([page, , , , score, , kind]) => {
    // Pages for developers of this package come after pages for its users.
    if (INSIDE.test(page)) return score / 4;
    // A name, such as that of a setting, is explained in the reference. In other pages it is only used.
    if (kind === 'text' && score === Scorer.term && page.startsWith('reference/')) return score + 1;
    return score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
