/** One kind of file or folder that a system or program puts beside people's files, out of their sight. */
export interface SystemName {
  /** Matches a whole name of a file or folder, or several that follow each other in a path, in any case. */
  readonly name: RegExp;
  /** Who makes it, and where that is said. */
  readonly madeBy: string;
  /** A path of that kind. */
  readonly example: string;
}

/**
 * What desktops, network drives and photo programs hide: thumbnails, deleted files, earlier versions, metadata. Under a
 * class they would be copies of its images, or images that somebody has taken out of it.
 */
export const SYSTEM_NAMES: readonly SystemName[] = [
  {
    name: /\.[^/]+/,
    madeBy:
      'hidden by convention of Unix and macOS (ls(1)): .DS_Store and ._… (AppleDouble), .Trashes, .ipynb_checkpoints (Jupyter), .thumbnails, .stversions (Syncthing), .snapshot (NetApp), .zfs',
    example: 'Hannaea/.ipynb_checkpoints/a-checkpoint.png',
  },
  {
    name: /:2e[^/]+/,
    madeBy: 'the same with its dot encoded, as netatalk stores it on Linux (Netatalk manual, “CNID backends”)',
    example: 'Hannaea/:2e_a.png',
  },
  { name: /__MACOSX/, madeBy: 'macOS’s Archive Utility: AppleDouble files', example: '__MACOSX/Hannaea/a.png' },
  { name: /Icon[\r␍]/, madeBy: 'macOS’s Finder: a folder’s own picture', example: 'Hannaea/Icon␍' },
  {
    name: /Network Trash Folder|Temporary Items|TheVolumeSettingsFolder|TheFindByContentFolder/,
    madeBy: 'classic Mac OS and AFP servers, at the top of a shared drive (netatalk’s “veto” list)',
    example: 'Network Trash Folder/Trash Can #2/a.png',
  },
  {
    name: /@eaDir|@Syno[^/]*|@tmp|@sharebin|@S2S/,
    madeBy: 'Synology DSM: thumbnails and metadata (SYNOPHOTO_THUMB_M.png …), temporary files',
    example: 'Hannaea/@eaDir/a.png/SYNOPHOTO_THUMB_M.png',
  },
  {
    name: /#recycle|#snapshot/,
    madeBy: 'Synology DSM: the recycle bin and the snapshots of a shared folder',
    example: '#recycle/Hannaea/a.png',
  },
  {
    name: /@Recycle|@Recently-Snapshot|@__thumb|@__desc|@__qini/,
    madeBy: 'QNAP QTS: network recycle bin, snapshots, thumbnails',
    example: 'Hannaea/@__thumb/s100a.png',
  },
  {
    name: /Network Recycle Bin(?: \d)?|trashbox/,
    madeBy: 'recycle bins of older QNAP systems, and of Buffalo LinkStation and TeraStation',
    example: 'Network Recycle Bin 1/Hannaea/a.png',
  },
  { name: /~snapshot/, madeBy: 'NetApp ONTAP: snapshots as Windows sees them', example: '~snapshot/daily.1/a.png' },
  {
    name: /\$RECYCLE\.BIN|RECYCLER|RECYCLED/,
    madeBy: 'Windows: the recycle bin of a drive (since Vista; XP on NTFS; on FAT)',
    example: '$RECYCLE.BIN/S-1-5-21/$RAB12CD.png',
  },
  {
    name: /System Volume Information|FOUND\.\d{3}|DfsrPrivate/,
    madeBy: 'Windows: restore points, what chkdsk has salvaged, replication',
    example: 'DfsrPrivate/ConflictAndDeleted/a.png',
  },
  {
    name: /(?:Thumbs|ehthumbs|ehthumbs_vista)\.db(?::[^/]*)?/,
    madeBy: 'Windows Explorer and Media Center: thumbnails, also with a name of an NTFS stream',
    example: 'Hannaea/Thumbs.db:encryptable',
  },
  { name: /desktop\.ini/, madeBy: 'Windows Explorer: how a folder is shown', example: 'Hannaea/desktop.ini' },
  {
    name: /[^/]+[:.]Zone\.Identifier/,
    madeBy: 'Windows: where a file was downloaded from, an NTFS stream that WSL and some zip programs make a file of',
    example: 'Hannaea/a.png:Zone.Identifier',
  },
  {
    name: /lost\+found/,
    madeBy: 'ext4 and other file systems: what fsck has salvaged',
    example: 'lost+found/#12/a.png',
  },
  { name: /_SYNCAPP/, madeBy: 'Allway Sync: deleted and earlier versions', example: '_SYNCAPP/a.png' },
  {
    name: /[^/]+\.ffs_tmp/,
    madeBy: 'FreeFileSync: what it is about to delete or has not copied to the end',
    example: 'RecycleBin.ffs_tmp/a.png',
  },
  { name: /_gsdata_/, madeBy: 'GoodSync: deleted and earlier versions', example: '_gsdata_/_saved_/Hannaea/a.png' },
  { name: /\[Originals\]/, madeBy: 'ACDSee: images before they were edited', example: 'Hannaea/[Originals]/a.png' },
  {
    name: /[^/]+\.(?:lrdata|cocatalog)/,
    madeBy: 'Adobe Lightroom and Capture One: previews of the images of a catalogue',
    example: 'Diatoms Previews.lrdata/0/a.jpg',
  },
  { name: /_vti_cnf/, madeBy: 'Microsoft FrontPage: a text for each file, under its name', example: '_vti_cnf/a.png' },
  { name: /__?thumbs/, madeBy: 'CKFinder: thumbnails of what was uploaded', example: '__thumbs/a.png/a__100x75.png' },
  { name: /Picasa\.ini/, madeBy: 'Picasa: its settings for a folder', example: 'Hannaea/Picasa.ini' },
  {
    name: /CaptureOne\/(?:Cache|Settings\d+)/,
    madeBy:
      'Capture One: previews and masks beside the images of a session (its support: “What’s inside the CaptureOne folder”)',
    example: 'Hannaea/CaptureOne/Cache/Thumbnails/a.jpg',
  },
  {
    name: /[^/]+\.photoslibrary\/resources/,
    madeBy: 'Apple Photos: small and edited copies of its originals (resources/derivatives, resources/renders)',
    example: 'Photos Library.photoslibrary/resources/derivatives/1/a_1_105_c.jpeg',
  },
  {
    name: /[^/]+\.(?:photolibrary|aplibrary|migratedphotolibrary|migratedaplibrary)\/(?:Thumbnails|Previews)/,
    madeBy: 'Apple iPhoto and Aperture: small copies of their masters',
    example: 'iPhoto Library.photolibrary/Thumbnails/2014/a.jpg',
  },
  {
    name: /[^/]+\.thumbs/,
    madeBy: 'photo programs: a folder of small copies, by its ending (digiKam.thumbs)',
    example: 'Hannaea/digiKam.thumbs/a.png',
  },
  {
    name: /data\/\d+\/thumbnail\.jpg/,
    madeBy: 'QuPath: the small picture of each image in the folder of a project (ProjectImageEntry)',
    example: 'Project/data/3/thumbnail.jpg',
  },
  {
    name: /[^/]+_thumb_?[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\.tiff?/,
    madeBy:
      'Molecular Devices MetaXpress (ImageXpress): a small copy beside each image, with an identifier at its end (ome/bioformats #746, #3351)',
    example: 'Plate_A01_s1_w1_thumb1B2C3D4E-0F1A-2B3C-4D5E-6F7A8B9C0D1E.tif',
  },
  {
    name: /__pycache__/,
    madeBy: 'Python: what was compiled (PEP 3147), in a folder that holds a program too',
    example: 'Hannaea/__pycache__/a.png',
  },
  {
    name: /~\$[^/]+/,
    madeBy: 'Microsoft Office and programs like it: who has a file open, hidden beside it',
    example: 'Hannaea/~$a.png',
  },
  {
    name: /Recycle Bin/,
    madeBy: 'NETGEAR ReadyNAS: the recycle bin of a share',
    example: 'Recycle Bin/Hannaea/a.png',
  },
  {
    name: /files_(?:trashbin|versions)/,
    madeBy: 'ownCloud and Nextcloud: deleted files and earlier versions in a user’s folder on the server',
    example: 'files_trashbin/files/Hannaea.d1700000000/a.png',
  },
  { name: /ZbThumbnail\.info/, madeBy: 'Canon ZoomBrowser: thumbnails', example: 'Hannaea/ZbThumbnail.info' },
];

/** One expression for all, as it is asked for every file of a zip, of which there may be half a million. */
const SYSTEM_FILE = new RegExp(`(?:^|/)(?:${SYSTEM_NAMES.map(({ name }) => name.source).join('|')})(?:/|$)`, 'i');

/** Whether a system or program hides a file, by any name in its path. */
export function isSystemFile(path: string): boolean {
  return SYSTEM_FILE.test(path);
}
