export { TypeOrmProvider, type TypeOrmProviderOptions } from './typeorm-provider.js';
