const KEPT = 20_000;

/** The numbers of instance rows by generation, as far as they are known: a hint, compared with the generation of the row. */
export class RowNumbers {
  private young = new Map<string, number>();
  private old = new Map<string, number>();

  of(generation: string): number | undefined {
    return this.young.get(generation) ?? this.old.get(generation);
  }

  remember(generation: string, no: number): void {
    this.young.set(generation, no);
    if (this.young.size < KEPT) return;
    this.old = this.young;
    this.young = new Map();
  }
}
