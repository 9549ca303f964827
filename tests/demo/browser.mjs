// Opens the page in headless Chromium and prints what the networks say of some digits, and what was fetched.
import {createRequire} from 'node:module';

const [url, modules, executablePath, screenshot] = process.argv.slice(2);
const {chromium} = createRequire(`${modules}/`)('playwright-core');
const browser = await chromium.launch({executablePath, args: ['--no-sandbox']});
try {
  const page = await browser.newPage({viewport: {width: 900, height: 600}});
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(url);
  await page.waitForFunction(() => document.body.dataset.ready || document.body.dataset.failed, null, {timeout: 240000});
  const failed = await page.evaluate(() => document.body.dataset.failed ?? null);
  const readings = [];
  for (const digit of failed ? [] : [2, 4, 7]) {
    for (const angle of [0, 90, 180, 270, 20, 50]) {
      readings.push({digit, angle, ...(await page.evaluate(([d, a]) => window.demo.read(d, a), [digit, angle]))});
    }
  }
  let outside = 'not tried';
  try {
    outside = await page.evaluate(() => fetch('http://127.0.0.2:9/').then(() => 'fetched', () => 'refused'));
  } catch (error) {
    outside = String(error);
  }
  // The page as a user works it: a stroke drawn with the mouse, then the slider.
  const pad = await page.locator('#pad').boundingBox();
  await page.mouse.move(pad.x + 140, pad.y + 40);
  await page.mouse.down();
  await page.mouse.move(pad.x + 142, pad.y + 240, {steps: 8});
  await page.mouse.up();
  await page.locator('#angle').fill('45');
  await page.waitForFunction(() => document.getElementById('degrees').textContent === '45');
  const drawn = await page.evaluate(() => [...document.querySelectorAll('.answer')].map((e) => e.textContent));
  if (screenshot) {
    await page.evaluate(() => window.demo.read(4, 140));
    await page.screenshot({path: screenshot});
  }
  process.stdout.write(JSON.stringify({failed, requests, readings, outside, drawn}));
} finally {
  await browser.close();
}
