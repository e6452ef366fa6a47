/**
 * The report's only script: finds classes by name and orders them. Without it the page says and shows the same. It
 * takes what it needs from the page, so that it is the same in every report.
 */
export const REPORT_SCRIPT = `
(() => {
  const [tools, find, sort, found] = ['tools', 'find', 'sort', 'found'].map((id) => document.getElementById(id));
  const sections = [...document.querySelectorAll('section.class')];
  const all = [...document.querySelectorAll('#classes > tbody > tr')].map((row, at) => ({
    row, at, section: sections[at], images: Number(row.dataset.images),
    name: row.querySelector('bdi').textContent.toLowerCase(),
  }));
  if (all.length < 2) return;
  const orders = {
    name: (a, b) => a.at - b.at,
    rare: (a, b) => a.images - b.images || a.at - b.at,
    common: (a, b) => b.images - a.images || a.at - b.at,
  };
  const show = () => {
    const wanted = find.value.trim().toLowerCase();
    let count = 0;
    for (const { row, section, name } of all.toSorted(orders[sort.value])) {
      const hidden = !name.includes(wanted);
      row.hidden = section.hidden = hidden;
      if (!hidden) count++;
      row.parentNode.append(row);
      section.parentNode.append(section);
    }
    found.textContent = wanted === '' ? '' : count + ' of ' + all.length + ' classes';
  };
  find.addEventListener('input', show);
  sort.addEventListener('change', show);
  tools.hidden = false;
  show();
})();
`;
