import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/helpers/cache-folder.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // ONNX Runtime uses every core for one session; more workers than cores would only contend.
    maxWorkers: 2,
  },
});
