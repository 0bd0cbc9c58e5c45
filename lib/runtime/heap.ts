/** A binary heap: the smallest by `rank` comes first. */
export class Heap<T> {
  private readonly items: T[] = [];

  constructor(private readonly rank: (item: T) => number) {}

  get size(): number {
    return this.items.length;
  }

  peek(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    const { items, rank } = this;
    let index = items.push(item) - 1;
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (rank(items[above]!) <= rank(item)) break;
      items[index] = items[above]!;
      index = above;
    }
    items[index] = item;
  }

  pop(): T | undefined {
    const first = this.items[0];
    const last = this.items.pop();
    if (last !== undefined && this.items.length > 0) this.sink(last);
    return first;
  }

  private sink(item: T): void {
    const { items, rank } = this;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && rank(items[below + 1]!) < rank(items[below]!)) below++;
      if (rank(items[below]!) >= rank(item)) break;
      items[index] = items[below]!;
      index = below;
    }
    items[index] = item;
  }
}
