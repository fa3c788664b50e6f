/** The articles' measurements. */
import { expect, test } from 'vitest';
import { protocol, protocolNames } from '../../src/pipeline/protocol.ts';

// Published code: DSG and DPS, sigma 0.05 on [-1,1]; DiffPIR, noise_level_img 12.75 of 255, added
// as noise_level_img * 2 to images in [-1,1], and none for inpainting.
test.each([
  ['article', { inpaint: 0.05, sr: 0.05, deblur: 0.05 }, 'random'],
  ['dps', { inpaint: 0.05, sr: 0.05, deblur: 0.05 }, 'random'],
  ['diffpir', { inpaint: 0, sr: 0.1, deblur: 0.1 }, 'box'],
] as const)('%s', (name, sigma, mask) => {
  const found = protocol(name);
  expect(found.sigma).toEqual(sigma);
  expect(found.degradations).toEqual({
    inpaint: { task: 'inpaint', mask },
    sr: { task: 'sr', scale: 4 },
    deblur: { task: 'deblur', size: 61, std: 3 },
  });
});

test('a conversion is said, and only where there is one', () => {
  expect(protocol('diffpir').notes.slice(0, 2)).toEqual([
    'sr: noise 0.05 on [0,1] is 0.1 on [-1,1]',
    'deblur: noise 0.05 on [0,1] is 0.1 on [-1,1]',
  ]);
  expect(protocol('article').notes.join()).not.toContain('[0,1]');
});

test.each(protocolNames)('%s says where it comes from', (name) =>
  expect(protocol(name).source).toMatch(/\d{4}.*code/),
);
