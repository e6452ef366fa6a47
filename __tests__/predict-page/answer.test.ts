import { expect, test } from 'vitest';
import { answerOf, tableCsv } from '../../src/predict-page/answer.ts';
import { withoutMetadata } from '../../src/predict-page/jpeg-metadata.ts';
import { modelSchema } from '../../src/predict-page/model.ts';
import { isScaleKnown, sizeFor } from '../../src/predict-page/size.ts';

const MODEL = modelSchema.parse({
  name: 'Diatom model',
  classes: ['a', 'b, or c', 'd'],
  imageSize: 224,
  temperature: 2,
  threshold: 0.6,
  wantedPrecision: 0.95,
  onnx: { bytes: 1, sha256: '0' },
});

test('an answer has the two most probable classes, at the temperature of the model', () => {
  const answer = answerOf('x.png', [0, Math.log(16), Math.log(4)], MODEL);
  // The square roots of 1, 16 and 4.
  expect(answer).toMatchObject({ first: { label: 'b, or c' }, second: { label: 'd' }, unknown: true });
  expect('first' in answer && answer.first.probability).toBeCloseTo(4 / 7, 9);
  expect('first' in answer && answer.second.probability).toBeCloseTo(2 / 7, 9);
});

test.each([
  [0.5, 0.95, false],
  [0.6, 0.95, true],
  [null, 0.95, true],
  [null, null, undefined],
])('with threshold %s for a precision of %s, 0.57 is unknown: %s', (threshold, wantedPrecision, unknown) => {
  const answer = answerOf('x.png', [0, Math.log(16), Math.log(4)], { ...MODEL, threshold, wantedPrecision });
  expect(answer).toHaveProperty('unknown', unknown);
});

test('the table has the columns of predict.py, and text with commas between quotation marks', () => {
  const answers = [answerOf('x.png', [0, 9, 0], MODEL), { file: 'y "2".png', error: 'no image' }];
  expect(tableCsv(answers)).toBe(
    'file,class,probability,second_class,second_probability,unknown,error\n' +
      'x.png,"b, or c",0.978265,a,0.010868,false,\n' +
      '"y ""2"".png",,,,,,no image\n',
  );
});

const PICTURE = { width: 120, height: 30, data: new Uint8Array() };

test.each([
  [undefined, 0.5, undefined],
  ['pixels', Number.NaN, [120, 30]],
  ['um', 0.5, [60, 15]],
])('a network that takes the size in %s gets of 120 × 30 pixels of %s µm: %s', (sizeInput, umPerPixel, size) => {
  expect(sizeFor(modelSchema.parse({ ...MODEL, sizeInput }), PICTURE, umPerPixel)).toEqual(size);
});

test.each([
  ['um', Number.NaN, false],
  ['um', 0, false],
  ['um', -1, false],
  ['um', 0.25, true],
  ['pixels', Number.NaN, true],
  [undefined, Number.NaN, true],
])(
  'pictures for a model with the size in %s and pixels of %s µm can be classified: %s',
  (sizeInput, umPerPixel, known) => {
    expect(isScaleKnown(modelSchema.parse({ ...MODEL, sizeInput }), umPerPixel)).toBe(known);
  },
);

test('EXIF, colour profiles and comments go from a JPEG, and all that decodes it stays', () => {
  const segment = (marker: number, ...content: number[]) => [0xff, marker, 0, content.length + 2, ...content];
  const [jfif, adobe, tables] = [segment(0xe0, 1), segment(0xee, 2), segment(0xdb, 3, 4)];
  const scan = [...segment(0xda, 5), 0x12, 0xff, 0x00, 0xff, 0xe1, 0, 4, 0, 0, 0xff, 0xd9];
  const file = [
    0xff,
    0xd8,
    ...jfif,
    ...segment(0xe1, 6, 7),
    ...segment(0xe2, 8),
    ...adobe,
    ...segment(0xfe, 9),
    ...tables,
  ];
  expect([...withoutMetadata(Uint8Array.from([...file, ...scan]))]).toEqual([
    ...[0xff, 0xd8, ...jfif, ...adobe, ...tables],
    ...scan,
  ]);
});

test('what only begins like a JPEG stays as it is', () => {
  const file = Uint8Array.from([0xff, 0xd8, 0xff, 0xe1, 0xff]);
  expect(withoutMetadata(file)).toEqual(file);
});
