import type { Provider } from '../../provider/provider.js';

/** A store to test, empty at first. What a database has to bring along; everything else is in the cases. */
export interface ConformanceFixture {
  /** Another provider on the same store, open: what another process would have. The fixture closes it. */
  provider(): Promise<Provider>;
  /** Makes a stored text of the instance unreadable (not JSON). Absent: cases about unreadable rows are skipped. */
  readonly damage?: (what: 'history' | 'message', instanceId: string) => Promise<void>;
  /** Closes its providers and removes the store. */
  close(): Promise<void>;
}

/** Something every storage must do. */
export interface ConformanceCase {
  readonly theme: string;
  /** Unique within its theme; reads as a sentence after it. */
  readonly name: string;
  /** Why it cannot be run on this fixture; undefined: it can. */
  readonly skip: (fixture: ConformanceFixture) => string | undefined;
  /** Rejects with an AssertionError if the storage does something else. Wants a fresh fixture. */
  run(fixture: ConformanceFixture): Promise<void>;
}
