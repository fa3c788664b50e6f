/** The report's behaviour: pictures to compare, tables to sort and filter. */
(() => {
  const byId = (id) => document.getElementById(id);
  const { images = [] } = JSON.parse(byId('data').textContent);
  if (images.length > 0) showPictures(images);
  sortable(byId('cells'));
  filterable(byId('cells'), byId('filter'), byId('count'));

  function showPictures(all) {
    const picks = Object.fromEntries(
      ['image', 'task', 'sample', 'left', 'right'].map((name) => [name, byId(`pick-${name}`)]),
    );
    const stage = document.querySelector('.stage');
    const slider = byId('slider');
    /** Labels of what was chosen, by side. */
    const wanted = {};
    let shown = [];

    /** Reference, measurement and results of what is chosen, in the order of the lists. */
    function choices() {
      const image = all.find((i) => i.name === picks.image.value);
      const { measurement, results } = image.tasks[picks.task.value];
      const sample = Number(picks.sample?.value ?? 0);
      const own = results.filter((r) => r.sample === sample);
      return [image.reference, measurement, ...own].filter((p) => p?.src);
    }

    function refill() {
      shown = choices();
      const options = shown.map((p, i) => new Option(p.label, i));
      picks.left.replaceChildren(...options.map((o) => o.cloneNode(true)));
      picks.right.replaceChildren(...options);
      // By label: not every image has every picture, and what was chosen is to come back.
      const at = (side, otherwise) => {
        const found = shown.findIndex((p) => p.label === wanted[side]);
        return String(found < 0 ? otherwise : found);
      };
      picks.left.value = at('left', Math.min(1, shown.length - 1));
      picks.right.value = at('right', preferred());
      const image = all.find((i) => i.name === picks.image.value);
      stage.style.aspectRatio = `${image.width} / ${image.height}`;
      stage.classList.toggle('small', Math.max(image.width, image.height) < 200);
      drawSides();
      drawGrid();
    }

    /** The first method's result of the most steps. */
    function preferred() {
      const last = shown.findLastIndex((p) => p.methodIndex === 0);
      return last < 0 ? shown.length - 1 : last;
    }

    function choose(side, index) {
      picks[side].value = String(index);
      wanted[side] = shown[index].label;
      drawSides();
    }

    function drawSides() {
      for (const side of ['left', 'right']) {
        const picture = shown[picks[side].value];
        const img = byId(`picture-${side}`);
        img.src = picture.src;
        img.alt = `${picture.label} of ${picks.image.value}`;
        const name = document.createElement('b');
        name.textContent = picture.label;
        byId(`caption-${side}`).replaceChildren(name, ` ${picture.scores}`);
      }
      for (const button of byId('grid').querySelectorAll('button'))
        button.setAttribute('aria-pressed', String(button.dataset.index === picks.right.value));
      slide();
    }

    function slide() {
      stage.style.setProperty('--at', `${slider.value}%`);
      const left = shown[picks.left.value].label;
      slider.setAttribute('aria-valuetext', `${slider.value} % ${left}`);
    }

    /** The first row is reference and measurement; then a row a method, a column a step count. */
    function drawGrid() {
      const errors = byId('show-errors').checked;
      byId('ramp').hidden = !errors;
      const steps = [...new Set(shown.map((p) => p.steps).filter(Boolean))].sort((a, b) => a - b);
      const methods = [...new Set(shown.map((p) => p.method).filter(Boolean))];
      const grid = byId('grid');
      grid.style.setProperty('--columns', Math.max(2, steps.length));
      const cell = (picture) => {
        const button = document.createElement('button');
        const index = shown.indexOf(picture);
        button.type = 'button';
        button.dataset.index = index;
        const img = new Image();
        img.src = (errors && picture.error) || picture.src;
        img.alt = `${errors && picture.error ? 'Error of ' : ''}${picture.label}`;
        const label = document.createElement('span');
        label.className = picture.method ? `m${picture.methodIndex}` : '';
        label.textContent = picture.label;
        const scores = document.createElement('small');
        scores.textContent = picture.scores;
        button.append(img, label, scores);
        button.addEventListener('click', () => choose('right', index));
        return button;
      };
      const gap = () => document.createElement('span');
      const row = (pictures) => {
        const cells = pictures.map((p) => (p ? cell(p) : gap()));
        while (cells.length < Math.max(2, steps.length)) cells.push(gap());
        return cells;
      };
      const given = shown.filter((p) => !p.method);
      const rows = methods.map((m) =>
        steps.map((n) => shown.find((p) => p.method === m && p.steps === n)),
      );
      grid.replaceChildren(...[given, ...rows].flatMap(row));
      for (const button of grid.querySelectorAll('button'))
        button.setAttribute('aria-pressed', String(button.dataset.index === picks.right.value));
    }

    for (const name of ['image', 'task', 'sample']) picks[name]?.addEventListener('change', refill);
    for (const side of ['left', 'right'])
      picks[side].addEventListener('change', () => choose(side, picks[side].value));
    byId('show-errors').addEventListener('change', drawGrid);
    slider.addEventListener('input', slide);
    refill();
  }

  /** A button in each head sorts by its column, numbers by value; what is missing goes last. */
  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const key = (row, column) => {
      const { dataset, textContent } = row.cells[column];
      if (dataset.value === undefined) return textContent;
      return dataset.value === '' ? undefined : Number(dataset.value);
    };
    const compare = (a, b) =>
      typeof a === 'string' ? a.localeCompare(b, 'en', { numeric: true }) : a - b;
    heads.forEach((head, column) => {
      head.querySelector('button').addEventListener('click', () => {
        const down = head.getAttribute('aria-sort') === 'ascending';
        for (const other of heads) other.setAttribute('aria-sort', 'none');
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        const rows = [...table.tBodies[0].rows].sort((r, s) => {
          const [a, b] = [key(r, column), key(s, column)];
          if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
          return down ? compare(b, a) : compare(a, b);
        });
        table.tBodies[0].replaceChildren(...rows);
      });
    });
  }

  /** Rows that hold every word. */
  function filterable(table, input, count) {
    input.addEventListener('input', () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of table.tBodies[0].rows) {
        const cells = [...row.cells].map((c) => c.textContent.toLowerCase());
        const matches = words.every((w) => cells.some((text) => text.includes(w)));
        row.hidden = !matches;
        left += Number(matches);
      }
      count.textContent = `${left} rows`;
    });
  }
})();
