import { createRequire } from 'node:module';
import type { Validator } from 'stdnum';
import { compact } from '../fold.ts';
import { contextBefore, type Detector, type Finding, findAll } from './detector.ts';

/** US Social Security number with hyphens: no area 000, 666 or 9xx, no group 00, no serial 0000. */
const ssn = /(?<![\dA-Za-z-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\dA-Za-z-])/g;
const labelled =
  /(?:ssn|social security|national id(?:entity|entification)?|identity (?:card|number)|id (?:card|number|no)|national insurance|nino|tax ?(?:id|payer|file)|itin|citizen|passport|driver'?s? licen[cs]e|driving licen[cs]e|personnummer|aadhaar|\bpan\b|\bcpf\b|\bcurp\b|\bdni\b|\bnie\b|codice fiscale|\bbsn\b|pesel|nric|hkid|身份证|证件|护照|通行证|驾驶证|驾照|社保|税号|纳税人|居留证|回乡证|台胞证)[^\n]{0,24}/gi;
const candidate =
  /(?<![\dA-Za-z])(?=[A-Za-z]{0,8}[ .\-/]?\d)[\dA-Za-z](?:[ .\-/()]{0,2}[\dA-Za-z]){5,21}(?![\dA-Za-z])/g;
const token = /(?<![\dA-Za-z])[\dA-Za-z][\dA-Za-z.\-/()]{5,22}[\dA-Za-z)]?(?![\dA-Za-z])/g;
const date = /^(?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.]/;
const passport = /^(?:[EGDSPHKMC][\dA-Z]?\d{7,8}|[A-Z]{1,2}\d{6,7}|\d{9})$/;
const license = /^(?:[A-Z]\d{4,14}|\d{7,9}|[A-Z]{1,2}\d{5,8}|\d{12})$/;

/** Finds US Social Security numbers by their form, and identity numbers of other countries by checksum (stdnum) after a word for one. */
export function createFindNationalIds(): Detector {
  const validators = loadValidators();
  const isId = (value: string) => validators.some(({ validate }) => validate(value).isValid);
  return (text) => {
    const found = findAll(text, 'NATIONAL_ID', ssn, () => true);
    for (const match of text.matchAll(labelled)) found.push(...findAfter(text, match, isId));
    return found;
  };
}

function findAfter(text: string, match: RegExpExecArray, isId: (value: string) => boolean): Finding[] {
  const area = text.slice(match.index, match.index + match[0].length + 24);
  const isLicense = /licen[cs]e|驾/i.test(area);
  const found: Finding[] = [];
  for (const pattern of [token, candidate]) {
    for (const { index, 0: value } of area.matchAll(pattern)) {
      const number = compact(value);
      if (!/\d{3}/.test(number) || date.test(value)) continue;
      const isPassport =
        /passport|护照|通行证|回乡证|台胞证/i.test(contextBefore(area, index)) && passport.test(number);
      if (!isPassport && !(isLicense && license.test(number)) && !isId(number)) continue;
      const start = match.index + index;
      found.push({ kind: isPassport ? 'PASSPORT' : 'NATIONAL_ID', start, end: start + value.length });
    }
  }
  return found;
}

/** Identity numbers with a checksum, by country; those whose every number of a length is valid are left out. */
const countries =
  'AR.dni AT.vnr AU.tfn BE.nn BG.egn BR.cpf CA.sin CH.ssn CL.rut CN.ric CZ.rc DE.idnr DK.cpr EE.ik ES.dni ES.nie FI.hetu FR.nir GB.nino GB.utr GR.amka HK.hkid HR.oib HU.anum IN.aadhaar IN.pan IT.codicefiscale JP.in KR.rrn LT.asmens MX.curp MY.nric NL.bsn NO.fodselsnummer PL.pesel PT.nif RO.cnp RU.inn SE.personnummer SG.nric TH.pin TR.tckimlik TW.natid UA.rntrc US.ssn ZA.idnr';

// The package has one entry with all countries, which takes 80 ms: it is loaded when it is needed.
function loadValidators(): Validator[] {
  const { stdnum } = createRequire(import.meta.url)('stdnum') as typeof import('stdnum');
  return countries.split(' ').flatMap((name) => {
    const [country = '', kind = ''] = name.split('.');
    return stdnum[country]?.[kind] ?? [];
  });
}
