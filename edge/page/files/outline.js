// Whether an outline crosses itself: as edge/outline.py judges it. Pure.

const side = (a, b, point) => (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]);
const isBetween = (a, b, point) =>
  [0, 1].every((axis) => Math.min(a[axis], b[axis]) <= point[axis] && point[axis] <= Math.max(a[axis], b[axis]));

function meet(a, b, c, d) {
  const ends = [[a, b, c], [a, b, d], [c, d, a], [c, d, b]];
  const sides = ends.map((each) => side(...each));
  if (sides[0] * sides[1] < 0 && sides[2] * sides[3] < 0) return true;
  return ends.some((each, place) => sides[place] === 0 && isBetween(...each));
}

export function crossesItself(points) {
  const isSame = (a, b) => a[0] === b[0] && a[1] === b[1];
  const corners = points.filter((each, place) => !isSame(each, points.at(place - 1)));
  const count = corners.length;
  const ends = (place) => [corners[place], corners[(place + 1) % count]];
  for (let first = 0; first < count; first += 1) {
    for (let second = first + 2; second < count; second += 1) {
      if ((second + 1) % count !== first && meet(...ends(first), ...ends(second))) return true;
    }
  }
  return false;
}
