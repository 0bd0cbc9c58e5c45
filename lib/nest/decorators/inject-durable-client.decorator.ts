import { Inject, type InjectionToken } from '@nestjs/common';
import { DurableClient } from '../../client/index.js';
import { DEFAULT_RUNTIME } from '../durable.constants.js';

/** The token of the client of a named runtime; without a name it is the class `DurableClient`. */
export const getDurableClientToken = (name: string = DEFAULT_RUNTIME): InjectionToken =>
  name === DEFAULT_RUNTIME ? DurableClient : `DurableClient_${name}`;

/** Injects the client of a named runtime. The default one is injected by its class. */
export const InjectDurableClient = (name?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getDurableClientToken(name));
